/** What `explain` prints: the verdict, what determined it and where that is written, and for a deny the smallest change. */
import { formatPort, formatShare, type DirectionDecision, type PolicyRef } from "@bulkhead/model";
import type { ExplainAnswer, TraceStep } from "@bulkhead/api";
import type { Ui } from "../ui/ui.ts";
import { ago, count } from "../ui/words.ts";
import { obligationText } from "./decide.ts";
import { determinantText } from "./determinant.ts";
import { decisionVerdict } from "./verdicts.ts";

type Path = Omit<ExplainAnswer["paths"][number], "trace"> & {
  readonly trace: readonly TraceStep[];
};
/** Of the live system, or of a folder, which has no revisions and in which everything counts as enforced. */
export type Explained = Omit<ExplainAnswer, "revision" | "modes" | "paths" | "smallestChange"> &
  Partial<Pick<ExplainAnswer, "revision" | "modes">> & {
    readonly paths: readonly Path[];
    readonly smallestChange?: Change | undefined;
  };
/** A folder's is tried on it. */
type Change = NonNullable<ExplainAnswer["smallestChange"]> & { readonly cuts?: readonly string[] };

export function explainText(answer: Explained, ui: Ui): string {
  const { style } = ui;
  const revision =
    answer.revision === undefined ? "" : `  ${style.dim(`revision ${answer.revision}`)}`;
  const head = `${decisionVerdict(answer.verdict, style)}  ${style.bold(`${answer.from} → ${answer.to} ${portText(answer)}`)}${revision}\n`;
  const paths = distinct(answer.paths);
  // Whoever asks a folder wants to know what its rules do.
  const traced = ui.wide || answer.revision === undefined;
  const body = paths
    .map((path) => pathText(path, paths.length > 1, traced, answer.canaryShare, ui))
    .join("");
  return `${head}${body}${modesText(answer, ui)}${auditText(answer, ui)}${nearestText(answer)}${seenText(answer, ui)}${changeText(answer, ui)}`;
}

/** With its protocol, whatever was typed. */
function portText(answer: Explained): string {
  const ports = new Set(answer.paths.map((path) => formatPort(path.protocol, path.port)));
  return ports.size === 0 ? answer.port : [...ports].join(", ");
}

/** Paths that differ only in their addresses are one to a person, unless everything is asked for. */
function distinct(paths: readonly Path[]): readonly Path[] {
  const byStory = new Map<string, Path>();
  for (const path of paths) {
    const story = JSON.stringify([path.decision, path.protocol, path.port, path.shared]);
    if (!byStory.has(story)) byStory.set(story, path);
  }
  return [...byStory.values()];
}

function pathText(
  path: Path,
  several: boolean,
  traced: boolean,
  share: number | undefined,
  ui: Ui,
): string {
  const { decision } = path;
  const addresses =
    several || ui.wide
      ? `  ${path.source.address} → ${path.destination.address} ${formatPort(path.protocol, path.port)}: ${decisionVerdict(decision.verdict, ui.style)}\n`
      : "";
  const trace = traced ? traceText(path, ui) : "";
  const spared = sparedText(decision.spared, share, ui);
  return `${addresses}${directionText(decision.egress, ui)}${directionText(decision.ingress, ui)}${sharedText(path, ui)}${spared}${trace}`;
}

/** Whose rules were used, where an address tells no single one. */
function sharedText({ shared, source, destination }: Path, ui: Ui): string {
  if (shared === undefined) return "";
  const { precision, sources, destinations, egress, ingress } = shared;
  if (precision === "exact@source") {
    const judged = `judged as ${sources.join()} → ${destinations.join() || destination.name}`;
    return ui.style.dim(`  ${judged}: ${precision}, by the sockets that share an address\n`);
  }
  const claims = [
    [source.address, sources],
    [destination.address, destinations],
  ] as const;
  const claimed = claims
    .filter(([, claimants]) => claimants.length > 1)
    .map(([address, claimants]) => `${address} is claimed by ${claimants.join(" and ")}`);
  const readings = [
    ...(egress === undefined
      ? []
      : [`leaving as ${egress.subject} → ${egress.peer ?? destination.name}`]),
    ...(ingress === undefined
      ? []
      : [`arriving as ${ingress.peer ?? source.name} → ${ingress.subject}`]),
  ];
  const used = readings.length === 0 ? "" : `: ${readings.join(", ")}`;
  return `  ${ui.style.yellow(`${precision}: ${claimed.join("; ")}; the strictest reading counts${used}`)}\n`;
}

/** Those of the whole cluster have no namespace. */
function policyText({ kind, namespace, name }: PolicyRef): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

function directionText(judged: DirectionDecision, ui: Ui): string {
  const what = judged.direction === "egress" ? "may leave " : "may arrive";
  const answer = judged.verdict === "allow" ? ui.style.green("yes") : ui.style.red("no ");
  const { determinedBy } = judged;
  const policy =
    determinedBy.kind === "rule" || determinedBy.kind === "isolation"
      ? `${policyText(determinedBy.policy)}, ${determinedBy.stage}: `
      : "";
  const ambiguous = judged.ambiguous
    ? ui.style.yellow("  (policies of equal order disagree; the stricter one counts)")
    : "";
  const asked = (judged.obligations ?? []).map(
    (one) => `             ${ui.style.yellow(obligationText(one))}\n`,
  );
  return `  ${what} ${answer}  ${policy}${determinantText(determinedBy)}${ambiguous}\n${asked.join("")}`;
}

/** A rollout that is under way does not hold for this flow yet. */
function sparedText(
  spared: DirectionDecision | undefined,
  share: number | undefined,
  ui: Ui,
): string {
  if (spared === undefined || share === undefined) return "";
  const by = determinantText(spared.determinedBy);
  const what = `would be denied by ${by}, but this flow is outside the canary's ${formatShare(share)}`;
  return `  ${ui.style.yellow(what)}\n`;
}

function traceText(path: Path, ui: Ui): string {
  return path.trace
    .map((step) => {
      const at = step.source === undefined ? "" : ` (${step.source.file}:${step.source.line})`;
      const line = `    ${step.matched ? "✓" : "·"} ${step.direction} ${step.stage} ${step.rule ?? step.block}: ${step.outcome}${at}`;
      return `${step.matched ? line : ui.style.dim(line)}\n`;
    })
    .join("");
}

function modesText(answer: Explained, ui: Ui): string {
  if (answer.verdict === "allow" || answer.view === "shadow") return "";
  if (answer.modes === undefined) return "";
  const { from, to } = answer.modes;
  if (from === "enforce" || to === "enforce") return "";
  return ui.style.dim("  nothing is dropped: neither end is in enforce\n");
}

/** What would be cut once audit becomes enforce, and how to ask for the whole of it. */
function auditText({ audit, from, to, port, paths }: Explained, ui: Ui): string {
  // A flow that a rollout spares has been told of.
  if (audit === undefined || paths.some(({ decision }) => decision.spared)) return "";
  const done = { drop: "dropped", reject: "rejected", mixed: "cut for some addresses" };
  const by = determinantText(audit.determinedBy);
  const what = ui.style.yellow(`allowed; would be ${done[audit.verdict]} by ${by} once enforced`);
  return `  ${what}\n  ${ui.style.dim(`\`bulkhead explain ${from} ${to} ${port} --shadow\` tells how`)}\n`;
}

/** Where nothing comes near there is nothing to tell. */
function nearestText({ nearest }: Explained): string {
  if (nearest === undefined) return "";
  const { rule, outcome, source } = nearest;
  return `  nearest    ${rule} (${source.file}:${source.line}), but ${outcome}\n`;
}

function seenText(answer: Explained, ui: Ui): string {
  if (answer.seen === undefined || answer.seen.connections === 0) return "";
  const { connections, lastSeen, verdicts } = answer.seen;
  return `  seen: ${count(connections, "connection")}, last ${ago(lastSeen, ui.now)} (${verdicts.join(", ")})\n`;
}

function changeText(answer: Explained, ui: Ui): string {
  const way = answer.inTheWay === undefined ? "" : `\nIn the way: ${answer.inTheWay}\n`;
  if (answer.smallestChange === undefined) return way;
  const { name, text, fillIn, cuts = [] } = answer.smallestChange;
  const blanks = fillIn.length === 0 ? "" : `; fill in ${fillIn.join(", ")}`;
  return `${way}\nThe smallest change that allows it (${name}${blanks}):\n\n${ui.style.cyan(text.trimEnd())}\n${cutsText(cuts, ui)}`;
}

const MOST_CUTS = 5;

export function cutsText(cuts: readonly string[], { style, wide }: Ui): string {
  if (cuts.length === 0) return "";
  const shown = wide ? cuts : cuts.slice(0, MOST_CUTS);
  const more = cuts.length > shown.length ? [`and ${cuts.length - shown.length} more`] : [];
  const lines = [...shown, ...more].map((line) => `  ${line}\n`).join("");
  return `\n${style.yellow(`It isolates whom nothing isolated, and cuts ${count(cuts.length, "connection")} permitted now:`)}\n${lines}`;
}
