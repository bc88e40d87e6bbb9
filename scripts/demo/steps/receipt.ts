/**
 * A receipt is believed only if it is of the revision just applied, was read after the request, and its digest
 * is the desired one; and if what it digests has changed when the kernel's tables have.
 */
import { createHash } from "node:crypto";
import { inNamespace, run } from "@bulkhead/example-shop";
import type { ApplyAnswer } from "@bulkhead/api";
import type { Demo } from "../demo.ts";
import type { Timed } from "../bulkhead-cli.ts";

export async function claimReceipt(
  demo: Demo,
  applied: Timed<ApplyAnswer>,
  when: string,
): Promise<string> {
  const status = await demo.bulkhead.status();
  const receipts = status.agents.flatMap((agent) =>
    agent.receipt === undefined ? [] : [agent.receipt],
  );
  const wanted = applied.answer;
  const faults = receipts.flatMap((receipt) => [
    ...(receipt.revision === wanted.revision
      ? []
      : [`of revision ${receipt.revision}, not ${wanted.revision}`]),
    ...(receipt.digest === wanted.digest ? [] : ["of another digest than the desired one"]),
    ...(receipt.readAt >= applied.startedAt ? [] : ["read before the change"]),
    ...(receipt.matches ? [] : ["not matching"]),
    ...(receipt.signed ? [] : ["not signed"]),
  ]);
  if (receipts.length === 0) faults.push("none was given");
  for (const fault of faults) demo.screen.fault(`receipt: ${fault}`);
  demo.claims.add({
    id: `receipt-${when}`,
    claim: `${when}: the kernel's receipt is of what was applied`,
    measured: faults[0] ?? `revision ${wanted.revision}, signed`,
    bound: `revision ${wanted.revision}, signed`,
    holds: faults.length === 0,
  });
  return `${wanted.revision}, ${wanted.digest.slice(0, 19)}…`;
}

/**
 * Our own view of the kernel: a digest of every `bulkhead` table in the host namespace. Counters, what packets put
 * into dynamic sets, and the order in which the kernel lists things are left out.
 */
export async function kernelDigest(
  host: string,
): Promise<{ readonly tables: number; readonly digest: string }> {
  const listing = await run(inNamespace(host, ["nft", "-j", "list", "tables"]));
  const { nftables } = JSON.parse(listing) as {
    nftables: readonly { readonly table?: { readonly family: string; readonly name: string } }[];
  };
  const tables = nftables.flatMap(({ table }) =>
    table?.name.startsWith("bulkhead") === true ? [table] : [],
  );
  const texts = await Promise.all(
    tables.map((table) =>
      run(inNamespace(host, ["nft", "-s", "list", "table", table.family, table.name])),
    ),
  );
  const said = texts.flatMap(statementsOf).toSorted().join("\n");
  return { tables: tables.length, digest: createHash("sha256").update(said).digest("hex") };
}

/** Single rules and elements, each with the block it stands in. */
export function statementsOf(listing: string): readonly string[] {
  // Which block comes first is the kernel's choice; the table's own lines are no part of it.
  const [head = ""] = /^table [^\n]*\n(?:\tcomment [^\n]*\n)?/.exec(listing) ?? [];
  const found: string[] = [head.trim()];
  // Blocks of chains, sets and maps are indented by one tab and end in a line of their own.
  for (const block of listing.slice(head.length).split(/\n\t\}\n/)) {
    const open = block.lastIndexOf(" {\n");
    // Without its values a counter has nothing in it.
    const empty = open < 0;
    const name = (empty ? block : block.slice(0, open)).trim().split("\n").at(-1) ?? "";
    const body = empty ? name : block.slice(open + 3);
    const content = /flags [a-z,]*dynamic/.test(body)
      ? body.replace(/elements = \{[^}]*\}?/, "")
      : body;
    const rules = name.trim().startsWith("chain");
    // The order of a chain's rules matters; that of elements does not.
    found.push(
      ...(rules
        ? [`${name}: ${content.trim()}`]
        : content
            .split(/[,{}\n]/)
            .map((part) => part.trim())
            .filter((part) => part !== "")
            .map((part) => `${name.trim()}: ${part}`)),
    );
  }
  return found;
}
