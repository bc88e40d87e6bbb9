/**
 * The agent's wiring: its parts are handed in (`agent-parts.ts`).
 *
 *   discovery ──► endpoints ─────────────► link ──► controller
 *   collector ──► probe marks ──► processes, names ──► outbox ──► │  ◄── policies, requests
 *                                            ▼
 *   disk ──► policy keeper ──► driver ──► the kernel ──► read-back ──► receipts, drift
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Receipt } from "@bulkhead/model";
import type { AgentMessage, AgentSettings, ControllerMessage, ExpectedHere } from "@bulkhead/wire";
import { NameTable } from "../dns/index.ts";
import type { AgentDirectory } from "../state/agent-directory.ts";
import { loadHostKey } from "../state/host-key.ts";
import { PolicyKeeper, type WentBack } from "../state/policy-keeper.ts";
import { openToldUntil } from "../state/told-until.ts";
import { PolicyTrust } from "../state/trusted-policy.ts";
import type { AgentParts } from "./agent-parts.ts";
import { createAnswers } from "./answers.ts";
import { startLinkClient, type LinkClient } from "./link-client.ts";
import { LOOPBACK, nameClients, withNames } from "./named-records.ts";
import { createPolicyIntake } from "./policy-intake.ts";
import { ProbeMarks } from "./probe-marks.ts";
import { seeSurroundings } from "./seen-surroundings.ts";
import { OWN_NETNS } from "./surroundings.ts";
import { createToldFlows } from "./told-flows.ts";

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

export async function startAgent(parts: AgentParts, options: AgentOptions): Promise<RunningAgent> {
  const { log, now, directory } = options;
  const boot = randomUUID();
  const hostKey = loadHostKey(directory.hostKey);
  const trust = new PolicyTrust(directory);
  const marks = new ProbeMarks(now);
  const names = new NameTable();
  let link: LinkClient | undefined = undefined;
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

  const around = await seeSurroundings(
    { parts, log, send: tellController, seen: () => attend() },
    LOOK_EVERY_MS,
  );
  const answers = createAnswers(parts, marks, () => around.latest);
  const toldUntil = openToldUntil(directory.told);
  const flows = createToldFlows({
    collected: () => collector.stats(),
    isHeard: () => link?.connected === true,
    send: tellController,
    refine: (records) =>
      parts.processes.apply(marks.apply(records)).map((record) => withNames(record, names)),
    toldUntil,
    log,
    now,
  });
  const collector = parts.startCollector(
    (records) => flows.add(records),
    toldUntil.before,
    (told) => told.forEach((answer) => names.learn(answer)),
  );
  attend();

  /** False when nobody listens. */
  function tellController(message: AgentMessage): boolean {
    return link?.send(message) === true;
  }

  /** Tells those that must know who is there. */
  function attend(): void {
    const { endpoints, hostAddresses, processes } = around.latest;
    names.setClients(nameClients(around.latest));
    const own = [...hostAddresses, ...LOOPBACK];
    parts.processes.setAddresses([{ netnsPath: OWN_NETNS, addresses: own }, ...endpoints]);
    collector.setEndpoints([
      ...endpoints.map((endpoint) => endpoint.addresses),
      // What became of connections of services is asked for as well; nobody tells of the machine's others.
      ...(processes.length > 0 ? [own] : []),
    ]);
  }

  async function takePolicy(
    message: Extract<ControllerMessage, { kind: "policy" }>,
  ): Promise<void> {
    const answer = await policies.fromController(message);
    link?.send(answer);
    // Most often something vanished while the rules were written: tell what is there now.
    if (answer.error !== undefined) await around.look();
  }

  function tellExpected(): void {
    const latest = parts.expectations.latest();
    if (latest !== expected && tellController({ kind: "expected", ...latest })) expected = latest;
  }

  /** Nobody may be there to hear it: that is what trials are for. */
  function tellWentBack(): void {
    if (wentBack === undefined) return;
    if (tellController({ kind: "went-back", ...wentBack })) wentBack = undefined;
  }

  function health(): void {
    const receipt = receipts(keeper.receipt);
    link?.send({
      kind: "health",
      at: now(),
      collector: flows.stats(),
      ...(receipt === undefined ? {} : { receipt }),
      capacity: parts.driver.limit,
      counters: parts.counters(),
      undecided: parts.undecided(),
    });
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
        tellController(answers.render(message));
        break;
      case "probe":
        background(answers.probe(message).then(tellController));
        break;
      case "connections":
        tellController(answers.connections(message));
        break;
      case "rule-counters":
        background(answers.ruleCounters(message).then(tellController));
        break;
      case "units":
        tellController(answers.units(message));
        break;
      case "check":
        background(answers.check(message).then(tellController));
        break;
      case "keep":
        background(policies.keep(message).then(tellController));
        break;
      case "flows-stored":
        flows.stored(message.sequence);
        break;
    }
  }

  function background(work: Promise<unknown>): void {
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
        around.forget();
        expected = undefined;
        tellWentBack();
        around.tell();
        tellExpected();
        health();
        flows.rewind();
      },
      message: handle,
      disconnected: () => log.warn("the controller is away; enforcement goes on"),
    },
    log,
  );

  const timers = [
    setInterval(() => background(keeper.watch()), WATCH_EVERY_MS),
    setInterval(health, HEALTH_EVERY_MS),
    setInterval(() => flows.noteTold(), NOTE_EVERY_MS),
    setInterval(() => background(around.look()), LOOK_EVERY_MS),
    setInterval(() => around.lookAtUnits(), UNITS_EVERY_MS),
  ];
  const endWatch = parts.watch(() => {
    if (!stopping) background(around.look());
  });
  const endUnits = parts.units.watch(() => {
    if (!stopping) around.lookAtUnits();
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
