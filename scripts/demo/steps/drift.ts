/** Step 9: somebody changes the kernel's rules by hand. It is found, named and repaired. */
import { setTimeout as sleep } from "node:timers/promises";
import { inNamespace, run } from "@bulkhead/example-shop";
import type { DriftView } from "@bulkhead/api";
import type { Tally } from "@bulkhead/example-shop/samples";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import type { Demo } from "../demo.ts";
import { pairsReached } from "../reach.ts";
import { kernelDigest } from "./receipt.ts";

const FOUND_WITHIN_MS = 5000;
const REPAIRED_WITHIN_MS = 10_000;
const TOLD_WITHIN_MS = 8000;

interface HookedChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
}

async function forwardChain(host: string): Promise<HookedChain> {
  const listing = await run(inNamespace(host, ["nft", "-j", "list", "chains"]));
  const { nftables } = JSON.parse(listing) as {
    nftables: readonly { readonly chain?: HookedChain }[];
  };
  const chains = nftables.flatMap(({ chain }) => (chain === undefined ? [] : [chain]));
  const found = chains.find(
    (chain) => chain.table.startsWith("bulkhead") && chain.hook === "forward",
  );
  if (found === undefined) throw new Error("there is no chain of Bulkhead's at hook forward");
  return found;
}

export async function drift(demo: Demo): Promise<void> {
  const { lab, screen, claims, figures } = demo;
  screen.heading("Drift: somebody edits the firewall by hand");
  const host = lab.hostNamespace;
  const since = Date.now();
  const before = await kernelDigest(host);
  const chain = await forwardChain(host);
  const acts = [
    { what: "nft flush chain", command: ["flush", "chain", chain.family, chain.table, chain.name] },
    { what: "nft delete table", command: ["delete", "table", chain.family, chain.table] },
  ];
  const found: { what: string; foundMs: number; repairedMs: number; drift: DriftView }[] = [];
  for (const act of acts) {
    screen.progress(`${act.what}, then waiting to be found out`);
    const at = Date.now();
    await run(inNamespace(host, ["nft", ...act.command]));
    const repairedMs = await waitForRepair(demo, before.digest, at);
    const seen = await waitForDrift(demo, at);
    found.push({ what: act.what, foundMs: seen.detectedAt - at, repairedMs, drift: seen });
    screen.figure(
      act.what,
      `found after ${seen.detectedAt - at} ms, as it was after ${repairedMs} ms`,
    );
    for (const difference of seen.differences.slice(0, 2)) screen.note(difference);
  }
  const attempts = await lab.call<readonly Attempt[]>("intruder", "reach");
  // A connection that begins while the table is gone may be lost when it comes back: told, not claimed.
  const tally = await lab.call<Tally>("users", "tally", { from: since });
  screen.figure("customers' requests meanwhile", `${tally.done} done, ${tally.failed} failed`);
  screen.figure("the intruder reaches after the repair", `${pairsReached(attempts).size} pairs`);
  claims.atMost(
    "drift-found",
    "drift is found",
    Math.max(...found.map((one) => one.foundMs)),
    FOUND_WITHIN_MS,
    " ms",
  );
  claims.add({
    id: "drift-repaired",
    claim: "drift is repaired: the kernel's tables are as before",
    measured: `${found.filter((one) => Number.isFinite(one.repairedMs)).length} of ${acts.length}, ${pairsReached(attempts).size} reached`,
    bound: `${acts.length} of ${acts.length}, 0 reached`,
    holds:
      found.every((one) => Number.isFinite(one.repairedMs)) && pairsReached(attempts).size === 0,
  });
  figures["drift"] = found;
}

/** What Bulkhead itself says of it: when it noticed, and what differed. */
async function waitForDrift({ bulkhead, stop }: Demo, at: number): Promise<DriftView> {
  const until = Date.now() + TOLD_WITHIN_MS;
  do {
    const { drift: view } = await bulkhead.status();
    if (view.last !== undefined && view.last.detectedAt >= at) return view.last;
    await sleep(300, undefined, { signal: stop });
  } while (Date.now() < until);
  return {
    host: "",
    detectedAt: Infinity,
    revision: 0,
    expectedDigest: "",
    actualDigest: null,
    differences: ["never found"],
    repaired: false,
  };
}

async function waitForRepair({ lab, stop }: Demo, digest: string, at: number): Promise<number> {
  for (const until = Date.now() + REPAIRED_WITHIN_MS; Date.now() < until;) {
    if ((await kernelDigest(lab.hostNamespace)).digest === digest) return Date.now() - at;
    await sleep(100, undefined, { signal: stop });
  }
  return Infinity;
}
