/** What `policies` prints: a row for each rule, below its resource's name, age, owner and end. */
import type { PoliciesAnswer, RuleHits } from "@bulkhead/api";
import { DAY_MS } from "@bulkhead/model";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, bytes, count, duration, thousands } from "../ui/words.ts";
import { mode } from "./verdicts.ts";

type Resource = PoliciesAnswer["policies"][number];

interface Row {
  readonly name: string;
  readonly resource?: Resource;
  readonly hits?: RuleHits;
}

/** Whoever has less left than this should know. */
const SOON_MS = 7 * DAY_MS;

const number = (title: string, of: (hits: RuleHits) => number): Column<Row> => ({
  title,
  align: "right",
  cell: ({ hits }) => {
    if (hits === undefined) return "";
    const value = of(hits);
    return value === 0 ? "-" : thousands(value);
  },
});

/** Of a resource; empty beside its rules. */
const said = (
  title: string,
  of: (resource: Resource, ui: Ui) => string,
  more: Partial<Column<Row>> = {},
): Column<Row> => ({
  title,
  cell: ({ resource }, ui) => (resource === undefined ? "" : of(resource, ui)),
  ...more,
});

const ENDS = said("ENDS", endOf);

const COLUMNS: readonly Column<Row>[] = [
  { title: "RULE", cell: ({ name }) => name, shrink: true },
  said("MODE", (resource, ui) => mode(resource.mode, ui.style)),
  said("AGE", ageOf),
  said("OWNER", ownerOf, { shrink: true }),
  ENDS,
  number("ALLOWED", ({ allowed }) => allowed),
  number("DENIED", ({ denied }) => denied),
  number("WOULD DENY", ({ wouldDeny }) => wouldDeny),
  { title: "LAST HIT", cell: ({ hits }, ui) => (hits === undefined ? "" : lastHit(hits, ui)) },
  {
    title: "BYTES",
    align: "right",
    wide: true,
    cell: ({ hits }) => (hits === undefined ? "" : bytes(hits.bytes)),
  },
  said("FILE", ({ file }) => file, { wide: true }),
];

export function policiesText(
  { policies, others, uncounted, revision }: PoliciesAnswer,
  ui: Ui,
): string {
  if (policies.length === 0)
    return "No policy is in force: everything is observed, nothing is denied.\n";
  const rows = policies.flatMap((resource): readonly Row[] => [
    { name: resource.name, resource },
    ...resource.rules.map((hits) => ({ name: `  ${placeOf(hits.rule)}`, hits })),
  ]);
  const all = [...rows, ...others.map((hits) => ({ name: hits.rule, hits }))];
  const anyEnds = policies.some(({ expiresAt }) => expiresAt !== undefined);
  const columns = anyEnds ? COLUMNS : COLUMNS.filter((column) => column !== ENDS);
  const missing =
    uncounted === undefined ? "" : ui.style.yellow(`; nothing was counted: ${uncounted}`);
  const anew = all.some(({ hits }) => hits !== undefined && isAnew(hits))
    ? "* before its rule was put into the kernel anew, which counts since then\n"
    : "";
  const end = `${count(policies.length, "resource")} in revision ${revision}; packets since each rule has been in the kernel${missing}\n`;
  return `${renderTable(all, columns, ui)}\n${anew}${end}${termsText(policies, ui)}`;
}

/** Of `Policy/shop/db#ingress/0`, what stands behind the name; without a rule, it is what the rules leave. */
function placeOf(rule: string): string {
  const place = rule.slice(rule.indexOf("#") + 1);
  return place.includes("/") ? place : `${place}, all else`;
}

/** It was hit, and nothing is counted: a repair put it in again, and what the kernel had counted went with the old one. */
function isAnew({ lastHit: last, allowed, denied, wouldDeny }: RuleHits): boolean {
  return last !== undefined && allowed + denied + wouldDeny === 0;
}

function lastHit(hits: RuleHits, ui: Ui): string {
  if (hits.lastHit === undefined) return "-";
  return `${ago(hits.lastHit, ui.now)}${isAnew(hits) ? "*" : ""}`;
}

function ageOf({ createdAt, changedAt }: Resource, ui: Ui): string {
  if (createdAt === undefined) return "-";
  const changed =
    changedAt === undefined || changedAt === createdAt ? "" : `, changed ${ago(changedAt, ui.now)}`;
  return `${duration(ui.now - createdAt)}${changed}`;
}

function ownerOf({ owner }: Resource, ui: Ui): string {
  if (owner === undefined) return "";
  return owner ?? ui.style.yellow("nobody");
}

function endOf({ expiresAt }: Resource, { now, style }: Ui): string {
  if (expiresAt === undefined) return "";
  if (expiresAt <= now) return style.red(`expired ${ago(expiresAt, now)}`);
  const text = `in ${duration(expiresAt - now)}`;
  return isSoon(expiresAt, now) ? style.yellow(text) : text;
}

function isSoon(expiresAt: number, now: number): boolean {
  return expiresAt > now && expiresAt <= now + SOON_MS;
}

function termsText(policies: readonly Resource[], { now }: Ui): string {
  const ends = policies.flatMap(({ expiresAt }) => expiresAt ?? []);
  const over = ends.filter((at) => at <= now).length;
  const soon = ends.filter((at) => isSoon(at, now)).length;
  const ownerless = policies.filter(({ owner }) => owner === null).length;
  const told = [
    ...(over === 0
      ? []
      : [`${count(over, "resource")} expired, and ${over === 1 ? "does" : "do"} nothing`]),
    ...(soon === 0 ? [] : [`${count(soon, "resource")} end${soon === 1 ? "s" : ""} within 7 days`]),
    ...(ownerless === 0
      ? []
      : [`${count(ownerless, "resource")} name${ownerless === 1 ? "s" : ""} no owner`]),
  ];
  return told.length === 0 ? "" : `${told.join("; ")}\n`;
}
