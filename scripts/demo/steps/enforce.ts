/** Step 7: enforcement. What is permitted must not notice; what is forbidden must end, also where it is under way. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Tally } from "@bulkhead/example-shop/samples";
import type { Demo } from "../demo.ts";
import { claimReceipt } from "./receipt.ts";

interface Held {
  readonly what: string;
  readonly answers: number;
  readonly lastAnswer: number;
}

export interface Enforced {
  /** Everything permitted is counted from here on, until the end. */
  readonly since: number;
}

const CUT_WITHIN_MS = 1000;

export async function enforce(demo: Demo, files: readonly string[]): Promise<Enforced> {
  const { lab, bulkhead, screen, claims, figures, stop } = demo;
  screen.heading("bulkhead apply --mode enforce");
  screen.progress("the intruder opens connections and keeps them busy");
  await lab.call("intruder", "hold");
  await sleep(300, undefined, { signal: stop });
  const since = Date.now();
  const applied = await bulkhead.apply(files, "enforce");
  const receipt = await claimReceipt(demo, applied, "enforce");
  screen.figure("enforced, receipt matching, after", `${applied.answer.tookMs.toFixed(0)} ms`);
  screen.figure("revision and receipt", receipt);
  screen.progress("waiting for held connections to fall silent");
  await sleep(Math.max(0, applied.endedAt + 2 * CUT_WITHIN_MS - Date.now()), undefined, {
    signal: stop,
  });
  const held = await lab.call<readonly Held[]>("intruder", "held");
  const now = Date.now();
  const lateness = held.map((one) => {
    const alive = now - one.lastAnswer < 500;
    return { ...one, alive, late: Math.max(0, one.lastAnswer - applied.endedAt) };
  });
  for (const one of lateness) {
    const end = one.alive
      ? "STILL ALIVE"
      : `cut ${one.late === 0 ? "before apply returned" : `${one.late} ms after apply returned`}`;
    screen.figure(`held by the intruder: ${one.what}`, `${end} (${one.answers} answers)`);
  }
  claims.add({
    id: "cut",
    claim: "forbidden connections under way are cut",
    measured: `${lateness.filter((one) => !one.alive).length} of ${held.length}, ${Math.max(...lateness.map((one) => one.late))} ms`,
    bound: `all, ≤ ${CUT_WITHIN_MS} ms`,
    holds: held.length > 0 && lateness.every((one) => !one.alive && one.late <= CUT_WITHIN_MS),
  });
  figures["enforce"] = { tookMs: applied.answer.tookMs, held: lateness };
  return { since };
}

interface Stream {
  readonly family: 4 | 6;
  readonly beats: number;
  readonly lost: number;
  readonly silentMs: number;
  readonly longestGapMs: number;
}

interface ServiceStats {
  readonly held: {
    readonly db: { readonly lost: number };
    readonly cache: { readonly lost: number };
  };
}

/** Called when all is proven: what happened to everything permitted since enforcement began. */
export async function claimNothingLost(demo: Demo, { since }: Enforced): Promise<void> {
  const { lab, screen, claims, figures } = demo;
  screen.heading("What was permitted all the while");
  const tally = await lab.call<Tally>("users", "tally", { from: since });
  const streams = await lab.call<readonly Stream[]>("users", "held");
  const services = await Promise.all(
    ["storefront-1", "storefront-2", "checkout"].map((name) =>
      lab.call<ServiceStats>(name, "stats"),
    ),
  );
  const broken =
    streams.filter((one) => one.lost > 0 || one.silentMs > 2000).length +
    services.reduce((sum, one) => sum + one.held.db.lost + one.held.cache.lost, 0);
  screen.figure(
    "customers' requests since enforcement",
    `${tally.done} done, ${tally.failed} failed`,
  );
  const { p50, p95, max } = tally.latencyMs;
  screen.figure(
    "  p50, p95, longest",
    `${p50.toFixed(1)}, ${p95.toFixed(1)}, ${max.toFixed(0)} ms`,
  );
  screen.figure(
    "event streams held since before `up`",
    streams.map((one) => `IPv${one.family}: ${one.beats} beats`).join(", "),
  );
  screen.figure(
    "connections held to PostgreSQL and Redis",
    `${services.length * 3}, ${broken} broken`,
  );
  for (const [error, count] of Object.entries(tally.errors)) screen.fault(`${count} × ${error}`);
  claims.add({
    id: "permitted",
    claim: "permitted connections lost, new and held",
    measured: `${tally.failed} of ${tally.done + tally.failed}, ${broken} of ${streams.length + services.length * 3}`,
    bound: "0, 0",
    holds: tally.done > 0 && tally.failed === 0 && broken === 0,
  });
  figures["permitted"] = { tally, streams, services };
}
