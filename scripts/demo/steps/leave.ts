/** The last step: `bulkhead down` leaves the shop running as it was before, and the lab leaves no trace. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Tally } from "@bulkhead/example-shop/samples";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import type { Demo } from "../demo.ts";
import { pairsReached } from "../reach.ts";
import { kernelDigest } from "./receipt.ts";
import type { Before } from "./shop.ts";

export async function leave(demo: Demo, before: Before): Promise<void> {
  const { lab, bulkhead, screen, claims, figures, stop } = demo;
  screen.heading("bulkhead down");
  screen.progress("removing everything from the kernel");
  await bulkhead.down();
  const since = Date.now();
  await sleep(800, undefined, { signal: stop });
  await lab.call("users", "stop");
  const tally = await lab.call<Tally>("users", "tally", { from: since });
  const attempts = await lab.call<readonly Attempt[]>("intruder", "reach");
  const { tables } = await kernelDigest(lab.hostNamespace);
  const reached = pairsReached(attempts).size;
  screen.figure("tables of ours in the kernel", tables);
  screen.figure("state directory", existsSync(bulkhead.state) ? "still there" : "gone");
  screen.figure("customers' requests", `${tally.done} done, ${tally.failed} failed`);
  screen.figure("the intruder reaches again", `${reached} pairs`);
  claims.add({
    id: "down",
    claim: "down gives the machine back as it was",
    measured: `${tables} tables, ${tally.failed} failed, ${reached} reached`,
    bound: `0 tables, 0 failed, ${before.intruder.size} reached`,
    holds:
      tables === 0 &&
      tally.failed === 0 &&
      reached === before.intruder.size &&
      !existsSync(bulkhead.state),
  });
  figures["down"] = { tables, tally, reached };
}
