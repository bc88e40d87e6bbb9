/** Differences as text, in netpol-analyzer's words and order: what changed, what is new, what is gone. JSON holds everything. */
import { formatPorts, isEmptyPorts, type PortSet } from "@bulkhead/model";
import { connectionText, NO_CONNECTIONS } from "./connection-text.ts";
import type { Difference, DifferenceKind } from "./differences.ts";
import { csvLine, dotGraph, markdownHead, markdownLine, quoted } from "./pair-formats.ts";

export const DIFFERENCE_FORMATS = ["txt", "json", "csv", "md", "dot"] as const;
export type DifferenceFormat = (typeof DIFFERENCE_FORMATS)[number];

/** A difference as `diff -o json` prints it. */
export interface DifferenceAnswer {
  readonly diff: DifferenceKind;
  readonly src: string;
  readonly dst: string;
  /** In netpol-analyzer's words, TCP, UDP and SCTP alone. */
  readonly dir1: string;
  readonly dir2: string;
  /** All of it: `80/tcp, icmp/echo-request`, `all`, `none`. */
  readonly ports1: string;
  readonly ports2: string;
  /** `workload shop/web[Deployment] added`, or empty. */
  readonly info: string;
}

type Write = (differences: Iterable<Difference>) => Iterable<string>;

export const differenceFormats: Readonly<Record<DifferenceFormat, Write>> = {
  txt,
  json,
  csv,
  md,
  dot,
};

const KINDS: readonly DifferenceKind[] = ["changed", "added", "removed"];
const COLUMNS = ["diff-type", "source", "destination", "dir1", "dir2", "workloads-diff-info"];

/** What stands for an ingress controller comes last. */
function* inOrder(differences: Iterable<Difference>): Iterable<Difference> {
  for (const controllers of [false, true]) {
    for (const kind of KINDS) {
      for (const one of differences) {
        if (one.kind === kind && one.source.startsWith("{") === controllers) yield one;
      }
    }
  }
}

function info({ onlyThere, kind }: Difference): string {
  return onlyThere.length === 0 ? "" : `workload ${onlyThere.join(" and ")} ${kind}`;
}

/** Where both sides are the same in netpol-analyzer's words, in ours. */
export function portsTexts({ before, after }: Difference): readonly [string, string] {
  const [was, is] = [connectionText(before), connectionText(after)];
  if (was !== is) return [was, is];
  const text = (ports: PortSet) => (isEmptyPorts(ports) ? NO_CONNECTIONS : formatPorts(ports));
  return [text(before), text(after)];
}

const cells = (one: Difference): readonly string[] => [
  one.kind,
  one.source,
  one.destination,
  ...portsTexts(one),
  info(one),
];

function* txt(differences: Iterable<Difference>): Iterable<string> {
  let head = "Connectivity diff:\n";
  for (const one of inOrder(differences)) {
    const [kind, source, destination, before, after, more] = cells(one);
    const tail = more === "" ? "" : `, workloads-diff-info: ${more}`;
    yield `${head}diff-type: ${kind}, source: ${source}, destination: ${destination}, dir1: ${before}, dir2: ${after}${tail}\n`;
    head = "";
  }
}

function* json(differences: Iterable<Difference>): Iterable<string> {
  let before = "[";
  for (const one of inOrder(differences)) {
    yield `${before}\n  ${JSON.stringify(differenceAnswer(one))}`;
    before = ",";
  }
  yield before === "[" ? "[]\n" : "\n]\n";
}

export function differenceAnswer(one: Difference): DifferenceAnswer {
  return {
    diff: one.kind,
    src: one.source,
    dst: one.destination,
    dir1: connectionText(one.before),
    dir2: connectionText(one.after),
    ports1: formatPorts(one.before),
    ports2: formatPorts(one.after),
    info: info(one),
  };
}

function* csv(differences: Iterable<Difference>): Iterable<string> {
  yield csvLine(COLUMNS);
  for (const one of inOrder(differences)) yield csvLine(cells(one));
}

function* md(differences: Iterable<Difference>): Iterable<string> {
  yield markdownHead(COLUMNS);
  for (const one of inOrder(differences)) yield markdownLine(cells(one));
}

const COLOURS: Readonly<Record<DifferenceKind, string>> = {
  changed: "magenta",
  added: "#008000",
  removed: "red2",
};

function* dot(differences: Iterable<Difference>): Iterable<string> {
  const edges: string[] = [];
  const names = new Set<string>();
  const looks = new Map<string, DifferenceKind>();
  for (const one of inOrder(differences)) {
    names.add(one.source).add(one.destination);
    for (const end of one.onlyThere) looks.set(end, one.kind);
    const [before, after] = portsTexts(one);
    const label =
      one.kind === "changed" ? `${after} (dir1: ${before})` : one.kind === "added" ? after : before;
    const colour = quoted(COLOURS[one.kind]);
    const style = one.kind === "removed" ? " style=dashed" : "";
    edges.push(
      `  ${quoted(one.source)} -> ${quoted(one.destination)} [label=${quoted(label)} color=${colour} fontcolor=${colour}${style}]\n`,
    );
  }
  yield* dotGraph([...names].toSorted(), edges, (name) => {
    const kind = looks.get(name);
    return kind === undefined
      ? ""
      : ` color=${quoted(COLOURS[kind])} fontcolor=${quoted(COLOURS[kind])}`;
  });
}
