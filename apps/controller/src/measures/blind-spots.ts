/**
 * Looks, now and then, whether everything that the kernel denied was recorded, and says so with numbers when it was not
 * (failure mode F4). An incident is open while more goes missing, and ends when for a while nothing more did.
 */
import type { Logger } from "pino";
import type { Cookie, Flow } from "@bulkhead/model";
import type { StateStore } from "@bulkhead/store";
import type { AgentSession } from "../link/agent-session.ts";
import { DropLedger, type Reconciled } from "./drop-ledger.ts";

export interface BlindSpotDeps {
  readonly session: () => Pick<AgentSession, "hello" | "ruleCounters"> | undefined;
  readonly state: Pick<StateStore, "openIncident" | "endIncidents">;
  readonly alarm: (message: string) => void;
  readonly ruleOf: (cookie: Cookie) => string | undefined;
  readonly log: Logger;
  readonly now: () => number;
  readonly everyMs?: number;
}

export interface BlindSpots {
  noteFlows(flows: readonly Flow[]): void;
  /** Since the counters last began anew; absent before the first comparison. */
  readonly latest: Reconciled | undefined;
  stop(): Promise<void>;
}

const EVERY_MS = 30_000;
const TIMEOUT_MS = 10_000;
/** So few may be lost without anybody being woken. */
const TOLERATED = 20;
/** Of what was to be logged. */
const TOLERATED_SHARE = 0.01;
const OVER_MS = 600_000;
const NAMED_RULES = 3;

export function watchBlindSpots(deps: BlindSpotDeps): BlindSpots {
  const { now, log, state } = deps;
  const ledger = new DropLedger();
  let latest: Reconciled | undefined;
  let boot: string | undefined;
  let known = 0;
  let grewAt = 0;
  let looking: Promise<void> = Promise.resolve();
  let busy = false;

  async function look(): Promise<void> {
    const session = deps.session();
    if (session === undefined) return;
    // What another agent's collector saw is another sum.
    if (boot !== session.hello.boot) ledger.reset();
    boot = session.hello.boot;
    const askedAt = now();
    const { rules, counters, error } = await session.ruleCounters(TIMEOUT_MS);
    if (error !== undefined) return;
    const found = ledger.take({ askedAt, answeredAt: now(), rules, counters });
    if (found === undefined) {
      known = 0;
      return;
    }
    latest = found;
    await judge(session.hello.host, found);
  }

  async function judge(host: string, found: Reconciled): Promise<void> {
    const tolerated = Math.max(TOLERATED, (found.denied - found.suppressed) * TOLERATED_SHARE);
    if (found.missing > known + tolerated) {
      known = found.missing;
      grewAt = now();
      const message = messageOf(host, found);
      log.error({ ...found, host }, message);
      deps.alarm(message);
      const detectedAt = now();
      await state.openIncident({ kind: "blind-spot", subject: host, message, detectedAt });
      return;
    }
    if (now() - grewAt < OVER_MS) return;
    // Also what a former run of the controller left open.
    const by = "all that was denied since is on record";
    if ((await state.endIncidents({ kind: "blind-spot", subject: host }, { at: now(), by })) > 0)
      known = found.missing;
  }

  function messageOf(host: string, found: Reconciled): string {
    const { denied, suppressed, recorded, missing } = found;
    const worst = found.rules
      .slice(0, NAMED_RULES)
      .map((one) => `${deps.ruleOf(one.cookie) ?? one.cookie} ${one.denied} and ${one.recorded}`);
    const rules = worst.length === 0 ? "" : `; denied and recorded by ${worst.join(", ")}`;
    return `blind spot on ${host}: the kernel denied ${denied} packets since ${new Date(found.since).toISOString()}, ${suppressed} of them like others told of, and ${recorded} are on record: ${missing} are missing${rules}`;
  }

  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    looking = look()
      .catch((error: unknown) => log.debug({ err: error }, "drop counters could not be compared"))
      .finally(() => {
        busy = false;
      });
  }, deps.everyMs ?? EVERY_MS);
  timer.unref();

  return {
    noteFlows(flows) {
      for (const { verdict, connections, end, cookie = "" } of flows) {
        if ((verdict === "dropped" || verdict === "rejected") && connections > 0)
          ledger.note({ end, cookie, packets: connections });
      }
    },
    get latest() {
      return latest;
    },
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
