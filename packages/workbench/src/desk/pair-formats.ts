/**
 * Pairs as text, line by line: netpol-analyzer's lines, CSV, Markdown and DOT, and JSON that holds everything. Where a
 * line cannot tell what is permitted (ICMP, say), there is none; JSON has it all.
 */
import { formatPorts } from "@bulkhead/model";
import { connectionText, NO_CONNECTIONS } from "./connection-text.ts";
import type { Pair } from "./pairs.ts";

export const PAIR_FORMATS = ["txt", "json", "csv", "md", "dot"] as const;
export type PairFormat = (typeof PAIR_FORMATS)[number];

/** A connection as `list -o json` prints it. */
export interface PairAnswer {
  readonly src: string;
  readonly dst: string;
  /** In netpol-analyzer's words, TCP, UDP and SCTP alone. */
  readonly conn: string;
  /** All of it: `80/tcp, icmp/echo-request`, `all`, `all except 22/tcp`. */
  readonly ports: string;
}

type Write = (pairs: Iterable<Pair>) => Iterable<string>;

export const pairFormats: Readonly<Record<PairFormat, Write>> = { txt, json, csv, md, dot };

interface Told {
  readonly source: string;
  readonly destination: string;
  readonly text: string;
}

function* told(pairs: Iterable<Pair>): Iterable<Told> {
  for (const { source, destination, ports } of pairs) {
    const text = connectionText(ports);
    if (text !== NO_CONNECTIONS) yield { source, destination, text };
  }
}

function* txt(pairs: Iterable<Pair>): Iterable<string> {
  for (const { source, destination, text } of told(pairs)) {
    yield `${source} => ${destination} : ${text}\n`;
  }
}

function* json(pairs: Iterable<Pair>): Iterable<string> {
  let before = "[";
  for (const { source, destination, ports } of pairs) {
    const answer: PairAnswer = {
      src: source,
      dst: destination,
      conn: connectionText(ports),
      ports: formatPorts(ports),
    };
    yield `${before}\n  ${JSON.stringify(answer)}`;
    before = ",";
  }
  yield before === "[" ? "[]\n" : "\n]\n";
}

function* csv(pairs: Iterable<Pair>): Iterable<string> {
  yield csvLine(["src", "dst", "conn"]);
  for (const { source, destination, text } of told(pairs)) {
    yield csvLine([source, destination, text]);
  }
}

function* md(pairs: Iterable<Pair>): Iterable<string> {
  yield markdownHead(["src", "dst", "conn"]);
  for (const { source, destination, text } of told(pairs)) {
    yield markdownLine([source, destination, text]);
  }
}

/** One node for each name, in the frame of its namespace. */
function* dot(pairs: Iterable<Pair>): Iterable<string> {
  const edges: string[] = [];
  const names = new Set<string>();
  for (const { source, destination, text } of told(pairs)) {
    names.add(source).add(destination);
    edges.push(`  ${quoted(source)} -> ${quoted(destination)} [label=${quoted(text)}]\n`);
  }
  yield* dotGraph([...names].toSorted(), edges, () => "");
}

export function* dotGraph(
  names: readonly string[],
  edges: readonly string[],
  look: (name: string) => string,
): Iterable<string> {
  yield "digraph {\n";
  const namespaces = new Map<string, string[]>();
  for (const name of names) {
    const namespace = namespaceOf(name);
    namespaces.set(namespace, [...(namespaces.get(namespace) ?? []), name]);
  }
  for (const [namespace, members] of namespaces) {
    const node = (name: string, indent: string): string => {
      const label = namespace === "" ? name : name.slice(namespace.length + 1);
      return `${indent}${quoted(name)} [label=${quoted(label)}${look(name)}]\n`;
    };
    if (namespace === "") yield members.map((name) => node(name, "  ")).join("");
    else {
      const inside = members.map((name) => node(name, "    ")).join("");
      yield `  subgraph ${quoted(`cluster_${namespace}`)} {\n${inside}    label=${quoted(namespace)}\n  }\n`;
    }
  }
  yield* edges;
  yield "}\n";
}

/** Empty for the world and the machine. */
export function namespaceOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf("/")));
}

export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&").replaceAll(/\s/g, " ")}"`;
}

/** RFC 4180, with the line ends of this system's tools. */
export function csvLine(fields: readonly string[]): string {
  const cells = fields.map((text) =>
    /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text,
  );
  return `${cells.join(",")}\n`;
}

export function markdownHead(titles: readonly string[]): string {
  const rules = titles.map((title) => "-".repeat(title.length + 2));
  return `${markdownLine(titles)}|${rules.join("|")}|\n`;
}

export function markdownLine(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll(/[|\\]/g, "\\$&")).join(" | ")} |\n`;
}
