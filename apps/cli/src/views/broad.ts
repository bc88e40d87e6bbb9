/** What `policies --broad` prints: rules that permit ports which nothing used, or peers who did not, and a narrower text of them. */
import type { PoliciesAnswer } from "@bulkhead/api";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { count, duration, list, spanSince, thousands } from "../ui/words.ts";

type Broad = NonNullable<PoliciesAnswer["broad"]>;
type Rule = Broad["rules"][number];
type Peer = NonNullable<Rule["peers"]>[number];
type Row = { readonly rule: Rule; readonly peer?: Peer };

const COLUMNS: readonly Column<Row>[] = [
  { title: "RULE", cell: ({ rule }) => rule.rule, shrink: true },
  {
    title: "PERMITS",
    cell: ({ rule, peer }) => (peer === undefined ? rule.permits : `${peer.side} ${peer.peer}`),
  },
  {
    title: "USED",
    cell: ({ rule, peer }) => (peer === undefined ? rule.used : sizeOf(peer.used) || "by nobody"),
  },
  {
    title: "NEVER",
    align: "right",
    cell: ({ rule, peer }) => (peer === undefined ? thousands(rule.slack) : neverText(peer)),
  },
  { title: "PROPOSED", cell: proposal, shrink: true },
  { title: "READINESS", cell: ({ rule }) => rule.readiness, wide: true },
  { title: "NEVER USED BY", cell: ({ peer }) => list(peer?.unused ?? [], 10), wide: true },
  { title: "PLACE", cell: ({ rule }) => rule.place, wide: true },
];

/** `2 groups (3 workloads), 7 addresses` */
function sizeOf({ groups, workloads, addresses }: Peer["used"]): string {
  const own = groups === 0 ? [] : [`${count(groups, "group")} (${count(workloads, "workload")})`];
  const others = (addresses ?? 0) === 0 ? [] : [addressText(addresses ?? 0)];
  return [...own, ...others].join(", ");
}

function neverText({ permits, used, unused }: Peer): string {
  const groups = unused.length === 0 ? [] : [count(unused.length, "group")];
  const { addresses } = permits;
  if (addresses === undefined) return [...groups, "the world's others"].join(", ");
  const others = addresses - (used.addresses ?? 0);
  return [...groups, ...(others <= 0 || addresses === 0 ? [] : [addressText(others)])].join(", ");
}

const MANY = 1e12;

function addressText(addresses: number): string {
  if (addresses >= MANY) return `2^${Math.round(Math.log2(addresses))} addresses`;
  return `${thousands(addresses)} address${addresses === 1 ? "" : "es"}`;
}

function proposal({ rule, peer }: Row): string {
  if (rule.tooEarly !== undefined) return `too early: ${rule.tooEarly}`;
  const proposed = peer === undefined ? rule.proposed : peer.proposed?.join("; ");
  if (proposed === "") return "take it out";
  return proposed ?? `none: ${(peer ?? rule).left ?? "not told"}`;
}

export function broadText({ broad }: PoliciesAnswer, ui: Ui): string {
  if (broad === undefined) return "The controller did not tell what was used.\n";
  const { since, from, days, rules, patch, replayed } = broad;
  const asked = spanSince(since, ui.now);
  const short = from > since;
  const span = short ? duration(ui.now - from) : asked;
  const watched = `Somebody looked on ${count(days, "day")} of them.\n`;
  const record = short
    ? `Flows are on record for ${span} only, and not for ${asked}: nothing is proposed yet.\n`
    : watched;
  if (rules.length === 0) {
    return `Every rule that was used in ${span} was used on all its ports, and by all of its peers or nearly.\n${record}`;
  }
  const rows = rules.flatMap((rule): readonly Row[] => [
    ...(rule.slack === 0 ? [] : [{ rule }]),
    ...(rule.peers ?? []).map((peer) => ({ rule, peer })),
  ]);
  const table = renderTable(rows, COLUMNS, ui);
  const end = `${count(rules.length, "rule")} permit${rules.length === 1 ? "s" : ""} more than was used in ${span}. ${record}`;
  if (patch === "") return `${table}\n${end}`;
  const proof = `Nothing that was accepted is denied after this, of ${count(replayed, "recorded edge")}, and nothing more is permitted:\n`;
  return `${table}\n${end}${proof}\n${patch}`;
}
