/**
 * `suggest --flows`: a suggestion from an export, with no daemon and no root. Hubble's JSON Lines, our own flows as JSON
 * Lines (`observe --follow -o json`), or our own edges (`observe -o json`); which it is, each line tells itself.
 */
import { edgesAnswerSchema, flowSchema, type SuggestAnswer } from "@bulkhead/api";
import { mergeEdges, suggest, type SuggestOptions, type TimeWindow } from "@bulkhead/learn";
import type { Edge, Flow } from "@bulkhead/model";
import { replaySuggestion, suggestionReport, type ReplayCounts } from "@bulkhead/workbench";
import { createFlowImport, type ImportedFlows } from "@bulkhead/workbench/observe";
import { createSampleBook, type SampleBook } from "@bulkhead/workbench/impact";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { linesOf, readable } from "../lines.ts";

export interface OfflineOptions extends SuggestOptions {
  readonly since?: number;
  readonly until?: number;
  readonly exclude: readonly TimeWindow[];
}

export interface Offline {
  readonly answer: SuggestAnswer;
  readonly imported: ImportedFlows;
  /** Edges that were summed up before, partly within a window that is excluded. */
  readonly blurred: number;
  readonly replay: ReplayCounts;
}

export async function suggestOffline(
  context: Pick<Context, "stdin" | "now">,
  file: string,
  { since, until, exclude, ...options }: OfflineOptions,
): Promise<Offline> {
  const within = (time: number): boolean =>
    (since === undefined || time >= since) && (until === undefined || time < until);
  const wanted = (time: number): boolean =>
    within(time) && !exclude.some(({ from, to }) => time >= from && time < to);
  const { imported: found, ours } = await readExport(context, file, wanted);
  const kept = ours.filter((edge) => within(edge.lastSeen) && !isWithin(edge, exclude));
  const edges = mergeEdges([...found.edges, ...kept]);
  const inventory = found.inventory;
  const report = suggestionReport(suggest(edges, inventory, options));
  return {
    answer: {
      ...report,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
    },
    imported: { ...found, outside: found.outside + ours.length - kept.length },
    blurred: kept.filter((edge) => touches(edge, exclude)).length,
    replay: replaySuggestion(report.files, edges, inventory, context.now()),
  };
}

export interface ReadExport {
  /** Flows of Hubble's, summed up. */
  readonly imported: ImportedFlows;
  /** Of our own, without probes; whenever they were. */
  readonly ours: readonly Edge[];
  /** Single flows of both. */
  readonly samples: SampleBook;
}

/** `-` is standard input. */
export async function readExport(
  context: Pick<Context, "stdin">,
  file: string,
  wanted: (time: number) => boolean = () => true,
): Promise<ReadExport> {
  const flows = createFlowImport(wanted);
  const own: Edge[] = [];
  const samples = createSampleBook();
  let whole: string[] | undefined;
  let first = true;
  let written = 0;
  for await (const line of linesOf(file === "-" ? context.stdin : readable(file))) {
    // Pretty-printed JSON begins with a line that is nothing by itself.
    if (first && line.trim() === "{") whole = [];
    first = false;
    if (line.trim() !== "") written += 1;
    if (whole !== undefined) whole.push(line);
    else if (line.startsWith('{"start":')) own.push(...ownFlow(line, flows, samples));
    else flows.line(line);
  }
  const summed = whole === undefined ? [] : ownEdges(whole.join("\n"), file);
  const imported = flows.result();
  if (written > 0 && imported.malformed.count === written) throw nothingRead(imported, file);
  for (const flow of imported.latest) samples.add(flow);
  return { imported, samples, ours: [...own, ...summed].filter(({ probe }) => probe !== true) };
}

/** A pipeline with the wrong file in it would be green for ever. */
function nothingRead({ malformed }: ImportedFlows, file: string): Error {
  const [first] = malformed.quoted;
  const why = first === undefined ? "" : `: line ${first.line} is ${first.problem}: ${first.quote}`;
  return badInput(`no line of \`${file}\` could be read${why}`, WRITERS);
}

function isWithin({ firstSeen, lastSeen }: Edge, windows: readonly TimeWindow[]): boolean {
  return windows.some(({ from, to }) => firstSeen >= from && lastSeen < to);
}

function touches({ firstSeen, lastSeen }: Edge, windows: readonly TimeWindow[]): boolean {
  return windows.some(({ from, to }) => lastSeen >= from && firstSeen < to);
}

function ownFlow(
  line: string,
  flows: { line(text: string): void },
  samples: SampleBook,
): readonly Edge[] {
  const parsed = flowSchema.safeParse(orNull(line));
  if (parsed.success) {
    samples.add(parsed.data);
    return [edgeOf(parsed.data)];
  }
  flows.line(line); // counted and quoted there, like every line that cannot be read
  return [];
}

function edgeOf({ start, end, sourcePort: _port, cookie: _cookie, ...flow }: Flow): Edge {
  const { direction: _direction, translated: _translated, ...edge } = flow;
  return { ...edge, firstSeen: start, lastSeen: end, windows: edge.connections > 0 ? 1 : 0 };
}

const WRITERS =
  "`hubble observe -o jsonpb`, `bulkhead observe -o json` and `bulkhead observe --follow -o json` write what can be read";

function ownEdges(text: string, file: string): readonly Edge[] {
  const parsed = edgesAnswerSchema.safeParse(orNull(text));
  if (parsed.success) return parsed.data.edges;
  throw badInput(
    `\`${file}\` holds neither flows, one a line, nor the edges of \`observe -o json\``,
    WRITERS,
  );
}

function orNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // what is no JSON fits no schema, and is told as that
  }
}
