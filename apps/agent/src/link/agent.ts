/**
 * The agent's wiring. Everything that touches the kernel is handed in, so that this can be run with other parts.
 *
 *   discovery ──► endpoints ─────────────► link ──► controller
 *   collector ──► probe marks ──► processes, names ──► outbox ──► │  ◄── policies, requests
 *                                            ▼
 *   disk ──► policy keeper ──► driver ──► the kernel ──► read-back ──► receipts, drift
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { BridgePort, FlowRecord, InvariantCheck, IpAddress, Receipt } from "@bulkhead/model";
import type {
  AgentMessage,
  AgentSettings,
  CollectorStats,
  ConfigurationSource,
  ControllerMessage,
  DiscoveredEndpoint,
  Exemptions,
  ExpectedHere,
  HostSession,
  Listener,
  OpenConnections,
  RuleCounter,
  UnitFacts,
  UndecidedConnection,
} from "@bulkhead/wire";
import type { Units } from "../discovery/index.ts";
import type { Driver } from "../drivers/index.ts";
import type { AgentDirectory } from "../state/agent-directory.ts";
import { NameTable, type DnsAnswer } from "../dns/index.ts";
import { loadHostKey } from "../state/host-key.ts";
import { PolicyKeeper, type KeptDriver, type WentBack } from "../state/policy-keeper.ts";
import { openToldUntil } from "../state/told-until.ts";
import { PolicyTrust } from "../state/trusted-policy.ts";
import type { CheckOrder } from "../invariants/index.ts";
import { FlowOutbox } from "./flow-outbox.ts";
import { startLinkClient, type LinkClient } from "./link-client.ts";
import type { ProcessFinder } from "../processes/index.ts";
import { LOOPBACK, nameClients, withNames } from "./named-records.ts";
import { createPolicyIntake } from "./policy-intake.ts";
import { ProbeMarks } from "./probe-marks.ts";
import { OWN_NETNS } from "./surroundings.ts";

export type ProbeOrder = Omit<Extract<ControllerMessage, { kind: "probe" }>, "kind" | "id">;
export type ProbeFinding = Omit<Extract<AgentMessage, { kind: "probed" }>, "kind" | "id">;

/** What is attached to this machine's network, and how the machine stands in it. */
export interface Attached {
  readonly endpoints: readonly DiscoveredEndpoint[];
  readonly ports: readonly BridgePort[];
  readonly hostAddresses: readonly IpAddress[];
  readonly sessions: readonly HostSession[];
  readonly hostListeners: readonly Listener[];
  readonly relays: readonly string[];
  readonly unread: readonly BridgePort[];
}

/** With the processes of the machine itself. */
type Surroundings = Attached & Units;

export interface AgentParts {
  readonly driver: KeptDriver & Pick<Driver, "limit" | "render">;
  readonly generation: () => number;
  /** What the driver lets pass without judging it. */
  readonly exemptions: Exemptions;
  /** Packets that no rule decided or no log message tells of, as counted lately. */
  counters(): Readonly<Record<string, number>>;
  /** Connections that are allowed for a while, because nobody can tell who opened them. */
  undecided(): readonly UndecidedConnection[];
  /** Everything attached now. */
  look(): Promise<Attached>;
  /** Calls back when a look would find something else; the result ends the watch. */
  watch(changed: () => void): () => void;
  /** Processes of this machine: a cheap look, and a call when it would find others. */
  readonly units: {
    look(): Units;
    facts(): readonly UnitFacts[];
    watch(changed: () => void): () => void;
  };
  /** What is known to be coming here although nobody saw it. */
  readonly expectations: {
    latest(): ExpectedHere;
    allow(sources: readonly ConfigurationSource[]): void;
    watch(changed: () => void): () => void;
  };
  /** Connections that began before `toldUntil` (milliseconds since the epoch) are known to the controller. */
  startCollector(
    onFlows: (records: readonly FlowRecord[]) => void,
    toldUntil: number,
    onAnswers: (answers: readonly DnsAnswer[]) => void,
  ): {
    stats(): CollectorStats;
    setEndpoints(endpoints: readonly (readonly IpAddress[])[]): void;
    stop(): Promise<void>;
  };
  probe(order: ProbeOrder): Promise<ProbeFinding>;
  /** Which address this machine speaks from to another; undefined where it has no way. */
  sourceTowards(destination: IpAddress): IpAddress | undefined;
  /** What the machine must be able to do, tried from the machine itself. */
  check(order: CheckOrder): Promise<readonly InvariantCheck[]>;
  /** Who holds the sockets at the ends of flows. */
  readonly processes: ProcessFinder;
  /** How often each rule was hit. */
  ruleCounters(): Promise<readonly RuleCounter[]>;
  /** Connections under way with one of these addresses at an end; of the machine's `own` also whose socket is there. */
  openConnections(
    addresses: ReadonlySet<IpAddress>,
    own: ReadonlySet<IpAddress>,
  ): {
    readonly connections: readonly OpenConnections[];
    readonly leftOut: number;
  };
}

export interface AgentOptions {
  readonly host: string;
  readonly version: string;
  readonly directory: AgentDirectory;
  readonly log: Logger;
  readonly now: () => number;
  /** Test switch: every report carries the receipt before the last one. */
  readonly fault?: string;
}

export interface RunningAgent {
  readonly connected: boolean;
  stop(): Promise<void>;
}

/** A look at the generation number costs a tenth of a millisecond. */
const WATCH_EVERY_MS = 250;
const HEALTH_EVERY_MS = 2000;
/** A file written anew: an agent that is killed tells again what began since, and is still open. */
const NOTE_EVERY_MS = 6000;
const LOOK_EVERY_MS = 3000;
/** Longest time that a newly opened port is nobody's. */
const UNITS_EVERY_MS = 1000;
/** Longest way of a connection from its first packet to the outbox. */
const COLLECTING_MS = 5000;
const MAX_WAITING_RECORDS = 500_000;
const MAX_BATCH = 5000;

export async function startAgent(parts: AgentParts, options: AgentOptions): Promise<RunningAgent> {
  const { log, now, directory } = options;
  const boot = randomUUID();
  const hostKey = loadHostKey(directory.hostKey);
  const trust = new PolicyTrust(directory);
  const outbox = new FlowOutbox(MAX_WAITING_RECORDS);
  const marks = new ProbeMarks(now);
  const names = new NameTable();
  let link: LinkClient | undefined = undefined;
  let told = "";
  let believed = false;
  let expected: ExpectedHere | undefined = undefined;
  let stopping = false;
  let wentBack: WentBack | undefined;

  const keeper = new PolicyKeeper({
    driver: parts.driver,
    generation: parts.generation,
    sign: (receipt) => hostKey.signReceipt(receipt),
    save: ({ signed, boot }) => trust.save(signed, boot),
    now,
    onDrift: (report) => {
      log.warn({ ...report }, report.repaired ? "drift found and repaired" : "drift found");
      link?.send({ kind: "drift", ...report });
    },
    onProblem: (problem) => log.warn(problem),
    onWentBack: (report) => {
      log.warn(
        { ...report },
        "a policy on trial was not kept: the one before it is in force again",
      );
      wentBack = report;
      tellWentBack();
    },
  });

  const receipts =
    options.fault === "stale-receipt" ? staleReceipts() : (receipt: Receipt | undefined) => receipt;

  const policies = createPolicyIntake({ keeper, trust, log, told: receipts });
  await policies.fromDisk();

  let surroundings = await firstLook();
  const toldUntil = openToldUntil(directory.told);
  const collector = parts.startCollector(
    (records) => collect(records),
    toldUntil.before,
    (answers) => answers.forEach((answer) => names.learn(answer)),
  );
  attend();

  /** Tells those that must know who is there. */
  function attend(): void {
    names.setClients(nameClients(surroundings));
    const own = [...surroundings.hostAddresses, ...LOOPBACK];
    parts.processes.setAddresses([
      { netnsPath: OWN_NETNS, addresses: own },
      ...surroundings.endpoints,
    ]);
    collector.setEndpoints([
      ...surroundings.endpoints.map((endpoint) => endpoint.addresses),
      // What became of connections of services is asked for as well; nobody tells of the machine's others.
      ...(surroundings.processes.length > 0 ? [own] : []),
    ]);
  }

  function stats(): CollectorStats {
    const found = collector.stats();
    return {
      ...found,
      lost: found.lost + outbox.lost,
      queueDepth: found.queueDepth + outbox.depth,
    };
  }

  function collect(records: readonly FlowRecord[]): void {
    const marked = parts.processes
      .apply(marks.apply(records))
      .map((record) => withNames(record, names));
    for (let at = 0; at < marked.length; at += MAX_BATCH) {
      outbox.add(marked.slice(at, at + MAX_BATCH));
    }
    sendFlows();
  }

  function sendFlows(): void {
    if (link?.connected !== true) return;
    for (const batch of outbox.takeUnsent())
      link.send({ kind: "flows", ...batch, collector: stats() });
  }

  async function takePolicy(
    message: Extract<ControllerMessage, { kind: "policy" }>,
  ): Promise<void> {
    const answer = await policies.fromController(message);
    link?.send(answer);
    // Most often something vanished while the rules were written: tell what is there now.
    if (answer.error !== undefined) await look();
  }

  /** Without surroundings there is nothing to confine: that is worth waiting for. */
  async function firstLook(): Promise<Surroundings> {
    for (;;) {
      try {
        return { ...(await parts.look()), ...parts.units.look() };
      } catch (error) {
        log.error({ err: error }, "the surroundings could not be discovered; trying again");
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
    }
  }

  async function look(): Promise<void> {
    try {
      surroundings = { ...(await parts.look()), ...parts.units.look() };
    } catch (error) {
      log.warn({ err: error }, "the surroundings could not be discovered");
      return;
    }
    attend();
    tell();
  }

  function unitsNow(): Units {
    try {
      return parts.units.look();
    } catch (error) {
      log.warn({ err: error }, "units could not be looked at");
      return surroundings;
    }
  }

  /** Without asking anybody what is attached: ports are opened, and units started, more often than links are laid. */
  function lookAtUnits(): void {
    const units = unitsNow();
    if (units.processes === surroundings.processes) return;
    surroundings = { ...surroundings, ...units };
    tell();
  }

  function tell(): void {
    const text = JSON.stringify(surroundings);
    if (text === told) return;
    if (link?.send({ kind: "discovered", ...surroundings }) === true) told = text;
  }

  function tellExpected(): void {
    const latest = parts.expectations.latest();
    if (latest !== expected && link?.send({ kind: "expected", ...latest }) === true)
      expected = latest;
  }

  /** Nobody may be there to hear it: that is what trials are for. */
  function tellWentBack(): void {
    if (wentBack === undefined) return;
    if (link?.send({ kind: "went-back", ...wentBack }) === true) wentBack = undefined;
  }

  const startedAt = now();
  let unnoted = "";

  /** What is still with the collector is younger than that, unless it hangs or has only just begun. */
  function noteTold(): void {
    const until = Math.min(now(), outbox.oldest ?? now()) - COLLECTING_MS;
    if (!collector.stats().alive || until < startedAt) return;
    try {
      toldUntil.note(until);
      unnoted = "";
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== unnoted)
        log.warn(`what was told of connections could not be noted: ${reason}`);
      unnoted = reason;
    }
  }

  function health(): void {
    const receipt = receipts(keeper.receipt);
    link?.send({
      kind: "health",
      at: now(),
      collector: stats(),
      ...(receipt === undefined ? {} : { receipt }),
      capacity: parts.driver.limit,
      counters: parts.counters(),
      undecided: parts.undecided(),
    });
  }

  async function answerProbe(
    request: Extract<ControllerMessage, { kind: "probe" }>,
  ): Promise<void> {
    const { kind: _kind, id, ...asked } = request;
    let finding: ProbeFinding;
    try {
      const source =
        asked.sourceCgroup === undefined ? undefined : parts.sourceTowards(asked.destination);
      const order = { ...asked, source: source ?? asked.source };
      marks.begin(order);
      finding = await parts.probe(order);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      finding = {
        sent: false,
        received: false,
        agree: false,
        outcome: "inconclusive",
        detail: "",
        error: reason,
      };
    }
    link?.send({ kind: "probed", id, ...finding });
  }

  function answerRender(message: Extract<ControllerMessage, { kind: "render" }>): void {
    try {
      link?.send({
        kind: "rendered",
        id: message.id,
        ruleset: parts.driver.render(message.policy),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      link?.send({ kind: "rendered", id: message.id, ruleset: "", error: reason });
    }
  }

  async function answerRuleCounters(id: string): Promise<void> {
    try {
      const rules = await parts.ruleCounters();
      link?.send({ kind: "rule-counters", id, rules, counters: parts.counters() });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      link?.send({ kind: "rule-counters", id, rules: [], counters: {}, error: reason });
    }
  }

  function answerConnections(id: string): void {
    const workloads = surroundings.endpoints.flatMap((endpoint) => endpoint.addresses);
    // Who has a socket of the machine itself matters where its processes are told apart.
    const own =
      surroundings.processes.length > 0 ? [...surroundings.hostAddresses, ...LOOPBACK] : [];
    try {
      const found = parts.openConnections(new Set(workloads), new Set(own));
      link?.send({ kind: "connections", id, ...found });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      link?.send({ kind: "connections", id, connections: [], leftOut: 0, error: reason });
    }
  }

  function answerUnits(id: string): void {
    try {
      link?.send({ kind: "units", id, units: parts.units.facts() });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      link?.send({ kind: "units", id, units: [], error: reason });
    }
  }

  async function answerCheck(
    message: Extract<ControllerMessage, { kind: "check" }>,
  ): Promise<void> {
    const { id, invariants, found } = message;
    try {
      link?.send({ kind: "checked", id, checks: await parts.check({ invariants, found }) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      link?.send({ kind: "checked", id, checks: [], error: reason });
    }
  }

  function takeSettings({ drift, readConfiguration }: AgentSettings): void {
    keeper.drift = drift;
    parts.expectations.allow(readConfiguration);
  }

  function handle(message: ControllerMessage): void {
    switch (message.kind) {
      case "welcome":
        try {
          trust.pin(message.publicKey);
        } catch (error) {
          // It stays connected, so that people see why each of its policies is refused.
          log.error({ err: error }, "this controller is not believed");
          takeSettings({ ...message, readConfiguration: [] });
          believed = false;
          break;
        }
        believed = true;
        takeSettings(message);
        break;
      case "settings":
        // Whoever is not believed is not let into anybody's configuration.
        takeSettings(believed ? message : { ...message, readConfiguration: [] });
        break;
      case "policy":
        background(takePolicy(message));
        break;
      case "render":
        answerRender(message);
        break;
      case "probe":
        background(answerProbe(message));
        break;
      case "connections":
        answerConnections(message.id);
        break;
      case "rule-counters":
        background(answerRuleCounters(message.id));
        break;
      case "units":
        answerUnits(message.id);
        break;
      case "check":
        background(answerCheck(message));
        break;
      case "keep":
        background(policies.keep(message).then((kept) => void link?.send(kept)));
        break;
      case "flows-stored":
        outbox.stored(message.sequence);
        sendFlows();
        break;
    }
  }

  function background(work: Promise<void>): void {
    work.catch((error: unknown) => log.error({ err: error }, "something in the background failed"));
  }

  link = startLinkClient(
    directory.socket,
    {
      hello: () => ({
        kind: "hello",
        host: options.host,
        boot,
        pid: process.pid,
        version: options.version,
        driver: parts.driver.name,
        publicKey: hostKey.publicKey,
        sequence: keeper.wanted?.signed.sequence ?? 0,
        exemptions: parts.exemptions,
        ...(keeper.receipt === undefined ? {} : { receipt: keeper.receipt }),
      }),
      connected() {
        log.info("connected to the controller");
        told = "";
        expected = undefined;
        tellWentBack();
        tell();
        tellExpected();
        health();
        outbox.rewind();
        sendFlows();
      },
      message: handle,
      disconnected: () => log.warn("the controller is away; enforcement goes on"),
    },
    log,
  );

  const timers = [
    setInterval(() => background(keeper.watch()), WATCH_EVERY_MS),
    setInterval(health, HEALTH_EVERY_MS),
    setInterval(noteTold, NOTE_EVERY_MS),
    setInterval(() => background(look()), LOOK_EVERY_MS),
    setInterval(lookAtUnits, UNITS_EVERY_MS),
  ];
  const endWatch = parts.watch(() => {
    if (!stopping) background(look());
  });
  const endUnits = parts.units.watch(() => {
    if (!stopping) lookAtUnits();
  });
  const endExpectations = parts.expectations.watch(() => {
    if (!stopping) tellExpected();
  });

  return {
    get connected() {
      return link.connected;
    },
    async stop() {
      stopping = true;
      for (const timer of timers) clearInterval(timer);
      endWatch();
      endUnits();
      endExpectations();
      // Delivers what was read; then the link says its last word.
      await collector.stop();
      await link.stop();
    },
  };
}

/** The fault switch: whatever is asked for, the receipt before it is given, once there is one. */
function staleReceipts(): (receipt: Receipt | undefined) => Receipt | undefined {
  let first: Receipt | undefined;
  return (receipt) => {
    first ??= receipt;
    return first;
  };
}
