/** What replay, plan, apply and history print. */
import type {
  ApplyAnswer,
  HistoryAnswer,
  PlanAnswer,
  ReplayAnswer,
  ResourceChanges,
  RevisionView,
} from "@bulkhead/api";
import { formatShare } from "@bulkhead/model";
import { determinantOf } from "@bulkhead/workbench/impact";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, count, duration, list, moment, thousands } from "../ui/words.ts";
import { invariantsLine } from "./invariants.ts";
import { affectedText } from "./affected.ts";
import { shortDeterminant } from "./determinant.ts";
import { IS_CUT, ONCE_ENFORCED, underWayText, WOULD_BE_CUT } from "./under-way.ts";
import { decisionVerdict, edgePort, endName } from "./verdicts.ts";

type EdgeChange = ReplayAnswer["newlyDenied"][number];

const CHANGE_COLUMNS: readonly Column<EdgeChange>[] = [
  { title: "FROM", cell: (row, ui) => endName(row.edge.source, ui.wide), shrink: true },
  { title: "", cell: () => "→" },
  { title: "TO", cell: (row, ui) => endName(row.edge.destination, ui.wide), shrink: true },
  { title: "PORT", cell: (row) => edgePort(row.edge) },
  { title: "CONNS", cell: (row) => thousands(row.edge.connections), align: "right" },
  { title: "LAST SEEN", cell: (row, ui) => ago(row.edge.lastSeen, ui.now) },
  { title: "AFTER", cell: (row, ui) => decisionVerdict(row.after.verdict, ui.style) },
  { title: "BECAUSE", cell: (row) => shortDeterminant(determinantOf(row.after)), shrink: true },
];

export function replayText(answer: ReplayAnswer, ui: Ui): string {
  const over = `Replayed ${count(answer.edges, "edge")} (${count(answer.connections, "connection")})${range(answer)} against revision ${answer.revision}.\n`;
  if (answer.edges === 0) {
    return `${over}Nothing was recorded: there is nothing to compare with.\n`;
  }
  const { affected } = answer;
  const denied = affectedText("denied", { affected, tally: answer.denied }, ui);
  const allowed = affectedText("allowed", { affected, tally: answer.allowed }, ui);
  const gap = affected.length > 0 ? "\n" : "";
  const each = ui.wide ? [...everyEdge(answer, ui)].join("") : "";
  return `${over}${gap}${denied}${gap}${allowed}${gap}${each}${count(answer.unchanged, "edge")} unchanged.\n`;
}

function range(answer: Pick<ReplayAnswer, "since" | "until">): string {
  if (answer.since === undefined && answer.until === undefined) return "";
  const since = answer.since === undefined ? "" : ` from ${moment(answer.since)}`;
  return `${since}${answer.until === undefined ? "" : ` to ${moment(answer.until)}`}`;
}

function* everyEdge(answer: ReplayAnswer, ui: Ui): Generator<string> {
  const { newlyDenied, newlyAllowed, denied, allowed } = answer;
  for (const [word, rows, { edges }] of [
    ["denied", newlyDenied, denied],
    ["allowed", newlyAllowed, allowed],
  ] as const) {
    if (rows.length === 0) continue;
    const rest = edges - rows.length;
    const more =
      rest === 0 ? "" : `and ${count(rest, "more edge", "more edges")} with fewer connections\n`;
    yield `Edge by edge, newly ${word}:\n${renderTable(rows, CHANGE_COLUMNS, ui)}${more}\n`;
  }
}

const marked = (mark: string, paint: (text: string) => string, names: readonly string[]): string =>
  names.map((name) => `  ${paint(`${mark} ${name}`)}\n`).join("");

export function resourcesText(changed: ResourceChanges, ui: Ui): string {
  const { style } = ui;
  const nothing = changed.added.length + changed.changed.length + changed.removed.length === 0;
  const kept =
    changed.kept.length === 0
      ? ""
      : `  ${style.dim(`${count(changed.kept.length, "resource")} in force but not in these files, kept: ${list(changed.kept)} (--prune removes)`)}\n`;
  if (nothing)
    return `Resources: no change (${thousands(changed.unchanged.length)} as they are).\n${kept}`;
  return `Resources: ${changed.added.length} added, ${changed.changed.length} changed, ${changed.removed.length} removed, ${changed.unchanged.length} unchanged.\n${marked("+", style.green, changed.added)}${marked("~", style.yellow, changed.changed)}${marked("-", style.red, changed.removed)}${kept}`;
}

/** What `--mode enforce` opens, and auditing does not. */
export function unopenedText(rows: PlanAnswer["unopened"], ui: Ui): string {
  if (rows === undefined || rows.length === 0) return "";
  const shown = ui.wide ? rows : rows.slice(0, 20);
  const more = rows.length - shown.length;
  const title =
    "Denied by what is enforced, as long as these files only audit (--mode enforce opens it):";
  return `${ui.style.yellow(title)}\n${connectionsText("·", ui.style.yellow, shown)}${more > 0 ? `  ${ui.style.dim(`and ${more} more (-o wide)`)}\n` : ""}`;
}

const connectionsText = (
  mark: string,
  paint: (text: string) => string,
  rows: PlanAnswer["permitted"]["added"],
): string =>
  marked(
    mark,
    paint,
    // World is listed once a family; a person sees one world.
    [...new Set(rows.map((row) => `${row.from} → ${row.to}  ${row.ports}`))],
  );

export function permittedText(permitted: PlanAnswer["permitted"], ui: Ui): string {
  const shown = ui.wide ? Number.POSITIVE_INFINITY : 20;
  const more =
    Math.max(0, permitted.added.length - shown) + Math.max(0, permitted.removed.length - shown);
  return permitted.added.length + permitted.removed.length === 0
    ? "Permitted connections: no change.\n"
    : `Permitted connections: ${permitted.added.length} added, ${permitted.removed.length} removed.\n${connectionsText("+", ui.style.green, permitted.added.slice(0, shown))}${connectionsText("-", ui.style.red, permitted.removed.slice(0, shown))}${more > 0 ? `  ${ui.style.dim(`and ${more} more (-o wide)`)}\n` : ""}`;
}

const noticesText = (notices: readonly string[], { style }: Ui): string =>
  notices.map((notice) => `${style.yellow("!")} ${notice}\n`).join("");

export function planText(answer: PlanAnswer, ui: Ui): string {
  const { capacity } = answer;
  const connections = permittedText(answer.permitted, ui);
  const size = `Capacity: ${count(capacity.classes, "class", "classes")}, ${count(capacity.rows, "row")}, ${count(capacity.entries, "entry", "entries")} of ${thousands(capacity.limit)}${capacity.fits ? "" : ui.style.red(": does not fit")}.\n`;
  const open = underWayText(answer.underWay, WOULD_BE_CUT, ui);
  const { canary } = answer;
  const unopened = unopenedText(answer.unopened, ui);
  const rollout =
    canary === undefined
      ? ""
      : `${ui.style.yellow(`A rollout is under way: ${list(canary.resources)} for ${formatShare(canary.share)} of flows.`)}\n\n`;
  const notices = noticesText(answer.notices ?? [], ui);
  return `${rollout}${resourcesText(answer.resources, ui)}${notices}\n${connections}\n${unopened === "" ? "" : `${unopened}\n`}${replayText(answer.replay, ui)}\n${open === "" ? "" : `${open}\n`}${size}${testsText(answer.tests, ui)}`;
}

export function testsText(tests: PlanAnswer["tests"], ui: Ui): string {
  if (tests.length === 0) return "";
  const failed = tests.filter((test) => !test.passed);
  const lines = failed
    .map((test) => `  ${ui.style.red("✗")} ${test.test}: ${test.message}\n`)
    .join("");
  return `Policy tests: ${tests.length - failed.length} of ${tests.length} pass.\n${lines}`;
}

export function applyText(answer: ApplyAnswer, ui: Ui): string {
  const { style } = ui;
  const unopened = unopenedText(answer.unopened, ui);
  // A ruleset takes comments, so that what is printed can still be loaded.
  if (answer.dryRun) return `${commented(unopened)}${answer.ruleset ?? ""}\n`;
  const head = answer.changed
    ? `Revision ${style.bold(String(answer.revision))} is in force, mode ${modesText(answer)}, after ${Math.round(answer.tookMs)} ms.\n`
    : `Nothing to do: revision ${answer.revision} is in force as given.\n`;
  const receipts = answer.receipts
    .map((receipt) =>
      receipt.matches
        ? `${style.green("✓")} ${receipt.host}: the kernel holds it (${thousands(receipt.entries)} entries, receipt ${receipt.digest.slice(0, 19)})\n`
        : `${style.red("✗")} ${receipt.host}: the kernel holds something else (${receipt.digest.slice(0, 19)})\n`,
    )
    .join("");
  const enforced = answer.stayEnforced ?? [];
  const dropped =
    enforced.length === 0
      ? "nothing is dropped; what would be"
      : `these drop nothing, and ${count(enforced.length, "other")} ${enforced.length === 1 ? "stays" : "stay"} enforced (${list(enforced)}); what they would drop`;
  const audit =
    answer.changed && answer.mode === "audit"
      ? `Audit: ${dropped} is marked \`audit\` in \`bulkhead observe\`.\n`
      : "";
  // What is cut by nothing new needs no word.
  const cut = (answer.underWay ?? []).length > 0 && answer.changed;
  const open = cut
    ? underWayText(answer.underWay, answer.mode === "audit" ? ONCE_ENFORCED : IS_CUT, ui)
    : "";
  const confirm =
    answer.confirmBy === undefined
      ? ""
      : style.yellow(
          `Revision ${answer.revision} reverts by itself in ${duration(answer.confirmBy - ui.now)} unless confirmed.\n`,
        );
  // What is kept stands, by name, among the resources.
  const others = answer.notices.filter((notice) => !notice.includes("`--prune`"));
  const notices = noticesText(others, ui);
  const looked = invariantsLine(answer.invariants ?? [], ui);
  const able = looked === "" ? "" : `Invariants ${looked}.\n`;
  return `${head}${receipts}${able}${answer.changed ? resourcesText(answer.resources, ui) : ""}${testsText(answer.tests, ui)}${notices}${open}${audit}${unopened}${confirm}`;
}

/** Each line a comment; nothing stays nothing. */
export function commented(text: string): string {
  return text === "" ? "" : `${text.trimEnd().replaceAll(/^/gm, "# ")}\n`;
}

/** Of all that is in force, which was not always applied with one mode. */
function modesText({ mode, modes }: Pick<ApplyAnswer, "mode" | "modes">): string {
  if (modes === undefined) return mode;
  const found = (["enforce", "audit"] as const).filter((one) => modes[one] > 0);
  return found.length === 0 ? mode : found.join(" + ");
}

/** And how far a rollout was then. */
const modeCell = (row: RevisionView): string =>
  row.canary === undefined
    ? modesText(row)
    : `${modesText(row)}, canary ${formatShare(row.canary.share)}`;

const REVISION_COLUMNS: readonly Column<RevisionView & { readonly current: boolean }>[] = [
  {
    title: "REVISION",
    cell: (row, ui) => (row.current ? ui.style.bold(`${row.revision} *`) : String(row.revision)),
  },
  { title: "WHEN", cell: (row) => moment(row.time) },
  {
    title: "WHAT",
    cell: (row) => (row.restores === undefined ? row.kind : `${row.kind} to ${row.restores}`),
  },
  { title: "MODE", cell: modeCell },
  {
    title: "CHANGES",
    cell: (row) =>
      `+${row.resources.added.length} ~${row.resources.changed.length} -${row.resources.removed.length}`,
  },
  { title: "BY", cell: (row) => row.author || "-", shrink: true },
  { title: "WHY", cell: (row) => row.reason || "-", shrink: true },
  { title: "CONFIRMED", cell: (row) => (row.confirmed === "not-needed" ? "-" : row.confirmed) },
  { title: "FILES", cell: (row) => list(row.files, 5), wide: true },
  { title: "HASH", cell: (row) => row.hash.slice(0, 19), wide: true },
];

export function historyText(answer: HistoryAnswer, ui: Ui): string {
  if (answer.revisions.length === 0) return "No policy has been applied yet.\n";
  const rows = answer.revisions.map((row) => ({
    ...row,
    current: row.revision === answer.current,
  }));
  const chain = answer.intact
    ? "* in force. The log's hash chain holds.\n"
    : `${ui.style.red(`The log's hash chain is broken at revision ${answer.brokenAt ?? "?"}: somebody changed it.`)}\n`;
  return `${renderTable(rows, REVISION_COLUMNS, ui)}\n${chain}`;
}
