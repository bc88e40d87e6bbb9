/**
 * The agent as a process: finds what is attached, keeps the kernel at the wanted policy, reports flows. It removes
 * nothing when it ends: only `--remove` takes the rules out of the kernel.
 *
 * Usage: main.ts --state DIR [--remove | --restore | --self-test | --measure-latency]
 *
 *   --remove      once: takes our rules out of the kernel
 *   --restore     once, at boot: puts the last signed policy in force without controller or network, or locks down
 *   --measure-latency   once: times exchanges in scratch namespaces, with our rules and without; touches nothing else
 *   --self-test   once: proves in scratch namespaces that this kernel can enforce; touches nothing else
 */
import { createHash } from "node:crypto";
import { createRequire, flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { EXEMPTIONS, NFLOG_DNS_GROUP, NFLOG_GROUP } from "@bulkhead/datapath";
import { createWall, liftingLockdown, restoreAtBoot } from "./boot/index.ts";
import {
  openConnections,
  restoreAccounting,
  startCollector,
  type Collector,
} from "./collector/index.ts";
import { createUnitScout, createUsers, discover, watchEndpoints } from "./discovery/index.ts";
import { createExpectationScout } from "./expectation/index.ts";
import { createHostCommands } from "./drivers/host-commands.ts";
import { createSuccession, createKeptGroups, keepingGroups } from "./drivers/index.ts";
import { checkInvariants } from "./invariants/index.ts";
import type { AgentParts, Attached } from "./link/agent-parts.ts";
import { startAgent } from "./link/agent.ts";
import { collectorReport, dnsCounters } from "./link/collector-report.ts";
import { watchCounters } from "./link/counter-watch.ts";
import { sshSessions } from "./link/host-sessions.ts";
import { listenersIn } from "./link/listeners.ts";
import { readSocketOwners } from "./link/socket-owners.ts";
import { relaysHere } from "./link/relays.ts";
import { bindSoon } from "./link/bind-soon.ts";
import { createCapabilityWatch } from "./link/capabilities.ts";
import { keepUnread, OWN_NETNS, surroundingsOf } from "./link/surroundings.ts";
import { createProcessFinder } from "./processes/index.ts";
import { createProber, sourceTowards } from "./probe/index.ts";
import { ensureSelfTested, measureLatency, SelfTestError, selfTestNow } from "./self-test/index.ts";
import { openAgentDirectory } from "./state/agent-directory.ts";
import { loadHostKey } from "./state/host-key.ts";
import { leaky } from "./state/leaky-driver.ts";
import { lockNamespace, SecondAgentError } from "./state/single-agent.ts";
import {
  endUndecided,
  permittedBy,
  takeOverConnections,
  takingOver,
  UndecidedConnections,
} from "./takeover/index.ts";

const CANNOT_RUN = 3;
/** How long a connection goes on of which nobody can tell who opened it, where one direction is permitted. */
const UNDECIDED_MS = 300_000;
const END_EVERY_MS = 1000;
const DEFAULT_STATE = "/var/lib/bulkhead";
const { version: VERSION } = createRequire(import.meta.url)("../package.json") as {
  readonly version: string;
};

const { values } = parseArgs({
  options: {
    state: { type: "string" },
    remove: { type: "boolean", default: false },
    restore: { type: "boolean", default: false },
    "self-test": { type: "boolean", default: false },
    "measure-latency": { type: "boolean", default: false },
  },
});
const log = pino({ name: "agent" });

try {
  await main(values.state ?? process.env["BULKHEAD_STATE"] ?? DEFAULT_STATE);
} catch (error) {
  log.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  process.exitCode = CANNOT_RUN;
  // What was half started must not keep the process alive.
  setTimeout(() => process.exit(CANNOT_RUN), 200).unref();
}

async function main(state: string): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error("the agent needs root: it changes the kernel of this machine");
  const now = Date.now;
  if (values["measure-latency"]) {
    process.stdout.write(`${JSON.stringify(await measureLatency(now))}\n`);
    return;
  }
  const directory = openAgentDirectory(state);
  const proof = { file: directory.selfTest, version: VERSION, now };
  if (values["self-test"]) {
    const report = await selfTestNow(proof);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    if (report.failure !== undefined) throw new SelfTestError(report);
    return;
  }
  const { publicKey } = loadHostKey(directory.hostKey);
  // Names our tables as this installation's, over restarts.
  const owner = createHash("sha256").update(publicKey).digest("hex").slice(0, 16);
  const lock = await takeNamespace();
  if (values.restore) {
    const { well, kind, message } = await restoreAtBoot(directory, owner, VERSION);
    lock.release();
    process.stdout.write(`${JSON.stringify({ restore: kind, message })}\n`);
    if (!well) throw new Error(message);
    log.info(message);
    return;
  }
  const wall = createWall(createHostCommands());
  const fault = process.env["BULKHEAD_FAULT"];
  const honest = createSuccession("nftables", { owner, now }, (error) =>
    log.error({ err: error }, "the rules of a driver before this one could not be removed"),
  );
  const groups = createKeptGroups({
    file: directory.groups,
    onProblem: (problem) => log.warn(problem),
  });
  const driver = keepingGroups(fault === "leaky-driver" ? leaky(honest) : honest, groups);
  if (values.remove) {
    await driver.remove();
    groups.letGo();
    await wall.lift();
    // An agent that was killed could not put these settings back itself.
    restoreAccounting(directory.accounting);
    lock.release();
    log.info("the rules are out of the kernel");
    return;
  }

  const tested = await ensureSelfTested(proof);
  if (tested !== null) log.info({ tookMs: tested.tookMs }, "the self-test passed");

  const undecided = new UndecidedConnections(now, UNDECIDED_MS);
  const ending = setInterval(() => {
    try {
      endUndecided(undecided);
    } catch (error) {
      log.warn({ err: error }, "connections that nobody can tell the opener of could not be ended");
    }
  }, END_EVERY_MS);
  const counters = watchCounters(
    () => driver.counters(),
    (error) => log.warn({ err: error }, "the kernel's counters could not be read"),
    now,
  );
  const capabilities = createCapabilityWatch(now);
  let seenBefore: Attached | undefined;
  let unitsChanged = (): void => undefined;
  const bind = bindSoon(
    () => honest.bindProcesses(),
    (error) => log.warn({ err: error }, "control groups could not be bound"),
  );
  const prober = createProber();
  const units = createUnitScout({
    now,
    prober: () => prober.pid,
    changed: () => unitsChanged(),
    stirred: () => {
      // Before anything that takes time: whoever is started again at once comes a moment later.
      groups.renew();
      bind();
    },
    onProblem: (problem) => log.warn(problem),
  });
  let expectationsChanged = (): void => undefined;
  const expectations = createExpectationScout({
    facts: () => units.facts(),
    endpoints: () => seenBefore?.endpoints ?? [],
    changed: () => expectationsChanged(),
    onProblem: (problem) => log.warn(problem),
  });
  let collecting: Collector | undefined;
  const processes = createProcessFinder(createUsers(), now, undefined, honest.cgroupOf);
  const parts: AgentParts = {
    driver: takingOver(
      liftingLockdown(driver, wall, (error) => log.error({ err: error }, error.message)),
      async (policy) => {
        const { endpoints: found } = await discover();
        const paths = new Map(found.map((one) => [one.interface, one.netnsPath]));
        const workloads = policy.endpoints.flatMap(({ interface: name, addresses }) => {
          const netnsPath = paths.get(name);
          return netnsPath === undefined ? [] : [{ netnsPath, addresses }];
        });
        return takeOverConnections([{ netnsPath: OWN_NETNS }, ...workloads], {
          undecided,
          permits: permittedBy(policy, now),
        });
      },
      (found) =>
        found instanceof Error
          ? log.warn({ err: found }, "live connections could not be taken over")
          : log.info(found, "live connections taken over"),
      () => undecided.list().length > 0,
    ),
    generation: () => driver.generation(),
    exemptions: EXEMPTIONS,
    counters: () => ({
      ...counters.latest(),
      ...(collecting === undefined ? {} : dnsCounters(collecting.stats())),
      processes_unasked: processes.skipped,
    }),
    undecided: () =>
      undecided.list().map(({ connection: { destinationPort: port, ...ends }, until }) => ({
        ...ends,
        port,
        until,
      })),
    look: async () => {
      const found = await discover();
      for (const problem of found.problems)
        log.debug({ problem }, "discovery goes on without something");
      units.containers(found.containers);
      const seen = surroundingsOf(found, {
        listenersIn,
        relays: relaysHere,
        capabilities,
        sessions: sshSessions,
      });
      seenBefore = keepUnread(seen, seenBefore);
      return seenBefore;
    },
    watch: (changed) => {
      const watch = watchEndpoints(changed, { onProblem: (problem) => log.warn(problem) });
      return () => watch.stop();
    },
    units: {
      look: () => units.look(),
      facts: () => units.facts(),
      watch: (changed) => {
        unitsChanged = changed;
        return () => units.stop();
      },
    },
    expectations: {
      latest: () => expectations.latest(),
      allow: (sources) => expectations.allow(sources),
      watch: (changed) => {
        expectationsChanged = changed;
        void expectations.look();
        return () => expectations.stop();
      },
    },
    startCollector: (onFlows, toldUntil, onAnswers) => {
      const collector = startCollector({
        group: NFLOG_GROUP,
        dnsGroup: NFLOG_DNS_GROUP,
        onFlows,
        onAnswers,
        toldUntil,
        onProblem: (problem) => log.warn(problem),
        accountingFile: directory.accounting,
        // A fault switch for tests: a packet log that a burst overflows.
        ...(fault === "narrow-log" ? { logBufferBytes: 4096 } : {}),
      });
      collecting = collector;
      return {
        setEndpoints: (endpoints) => collector.setEndpoints(endpoints),
        stop: () => collector.stop(),
        stats: () => collectorReport(collector.stats()),
      };
    },
    openConnections: (addresses, own) =>
      own.size === 0
        ? openConnections(addresses)
        : openConnections(addresses, undefined, { addresses: own, ownerOf: readSocketOwners() }),
    ruleCounters: () => counters.rules(),
    check: (order) => checkInvariants(order, () => sshSessions([OWN_NETNS])),
    processes,
    sourceTowards,
    probe: async (order) => {
      const result = await prober.probe(order);
      const { sent, witnessed, agree, outcome, detail } = result;
      return { sent, received: witnessed, agree, outcome, detail };
    },
  };

  const agent = await startAgent(parts, {
    host: hostname(),
    version: VERSION,
    directory,
    log,
    now,
    ...(fault === undefined ? {} : { fault }),
  });
  process.stdout.write('{"ready":true}\n');
  // Not only at an orderly end: who is killed before it would start slowly each time.
  flushCompileCache();

  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  log.info("ending; the kernel goes on enforcing");
  // First of all: services start and end while nobody is here.
  groups.hold();
  bind();
  counters.stop();
  clearInterval(ending);
  await agent.stop();
  await prober.stop();
  lock.release();
  process.exit(0);
}

/** The agent before us may still be on its way out. */
async function takeNamespace(): Promise<ReturnType<typeof lockNamespace>> {
  const until = Date.now() + 2000;
  for (;;) {
    try {
      return lockNamespace();
    } catch (error) {
      if (!(error instanceof SecondAgentError) || Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
