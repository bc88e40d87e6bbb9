/** Step 6: the policy in audit mode: everything still passes, and what enforcing would deny is on record. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import type { Tally } from "@bulkhead/example-shop/samples";
import type { Demo } from "../demo.ts";
import { keyOf, touchesIntruder } from "../names.ts";
import { pairsReached } from "../reach.ts";
import { truePairs } from "../truth.ts";
import { claimReceipt } from "./receipt.ts";
import type { Before } from "./shop.ts";

const LISTEN_MS = 3500;
const ARRIVE_WITHIN_MS = 10_000;

export async function audit(demo: Demo, files: readonly string[], before: Before): Promise<void> {
  const { lab, bulkhead, screen, claims, truth, figures, stop } = demo;
  screen.heading("bulkhead apply (audit)");
  screen.progress("applying");
  const since = Date.now();
  const applied = await bulkhead.apply(files);
  const receipt = await claimReceipt(demo, applied, "audit");
  screen.figure("applied, receipt matching, after", `${applied.answer.tookMs.toFixed(0)} ms`);
  screen.figure("revision and receipt", receipt);
  screen.progress("shopping goes on, the intruder tries everything again");
  const attempts = await lab.call<readonly Attempt[]>("intruder", "reach");
  await sleep(Math.max(0, since + LISTEN_MS - Date.now()), undefined, { signal: stop });
  const tally = await lab.call<Tally>("users", "tally", { from: since, to: Date.now() - 500 });
  let edges = await bulkhead.edges(since);
  const audits = (): typeof edges => edges.filter((edge) => edge.verdict === "audit");
  for (const until = Date.now() + ARRIVE_WITHIN_MS; Date.now() < until && audits().length === 0;) {
    await sleep(500, undefined, { signal: stop });
    edges = await bulkhead.edges(since);
  }
  const audited = audits();
  const dropped = edges.filter((edge) => edge.verdict === "dropped" || edge.verdict === "rejected");
  const pairs = truePairs(truth);
  const wrong = audited.filter((edge) => pairs.has(keyOf(edge)));
  const pairsNow = pairsReached(attempts);
  const reached = pairsNow.size;
  screen.figure("customers' requests", `${tally.done} done, ${tally.failed} failed`);
  screen.figure("edges that enforcing would deny", audited.length);
  screen.figure("  of these the intruder's", audited.filter(touchesIntruder).length);
  screen.figure("the intruder still reaches", `${reached} pairs`);
  for (const pair of before.intruder) {
    if (!pairsNow.has(pair)) screen.fault(`no longer reached, though only audited: ${pair}`);
  }
  for (const edge of wrong) screen.fault(`audit says denied, the shop needs it: ${keyOf(edge)}`);
  claims.add({
    id: "audit-seen",
    claim: "audit lists the intruder's edges, and only them",
    measured: `${audited.filter(touchesIntruder).length} of ${audited.length}`,
    bound: "all, and some",
    holds: audited.length > 0 && audited.every(touchesIntruder) && wrong.length === 0,
  });
  claims.add({
    id: "audit-drops",
    claim: "audit drops nothing",
    measured: `${dropped.length} dropped, ${reached} reached`,
    bound: `0 dropped, ${before.intruder.size} reached`,
    holds: dropped.length === 0 && reached === before.intruder.size && tally.failed === 0,
  });
  figures["audit"] = { tally, audited: audited.map(keyOf), dropped: dropped.map(keyOf), reached };
}
