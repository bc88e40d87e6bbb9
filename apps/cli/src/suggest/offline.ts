/**
 * `suggest --flows`: a suggestion from recorded flows, with no daemon and no root: any format that is imported, our own
 * flows as JSON Lines (`observe --follow -o json`), or our own edges (`observe -o json`); the file's beginning tells which.
 */
import { edgesAnswerSchema, type SuggestAnswer } from "@bulkhead/api";
import {
  mergeEdges,
  readinessReport,
  suggest,
  type ReadinessInput,
  type SuggestOptions,
  type TimeWindow,
} from "@bulkhead/learn";
import { formatsOf, type Edge, type EdgeHistory, type Flow, type Inventory } from "@bulkhead/model";
import { FORMAT_READERS, readerOf, type FlowFormatReader } from "@bulkhead/sources";
import {
  reportedReadiness,
  replaySuggestion,
  suggestionReport,
  type ReplayCounts,
} from "@bulkhead/workbench";
import { createFlowFold, everybodyIn, type ImportedFlows } from "@bulkhead/workbench/observe";
import { createSampleBook, type SampleBook } from "@bulkhead/workbench/impact";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { heedInterruption } from "../interruption.ts";
import { openFlowFile, readFlows, wholeText } from "../flows/flow-file.ts";

export interface OfflineOptions extends SuggestOptions {
  readonly since?: number;
  readonly until?: number;
  readonly exclude: readonly TimeWindow[];
  /** Of the file, where it is named. */
  readonly format?: string;
  /** Texts with every line of what was set aside. */
  readonly all?: boolean;
}

export interface Offline {
  readonly answer: SuggestAnswer;
  readonly imported: ImportedFlows;
  /** Edges that were summed up before, partly within a window that is excluded. */
  readonly blurred: number;
  readonly replay: ReplayCounts;
  /** Who is in the flows. */
  readonly inventory: Inventory;
  readonly isBroken: boolean;
}

export async function suggestOffline(
  context: Pick<Context, "stdin" | "now" | "signal">,
  file: string,
  { since, until, exclude, format, all, ...options }: OfflineOptions,
): Promise<Offline> {
  const within = (time: number): boolean =>
    (since === undefined || time >= since) && (until === undefined || time < until);
  const wanted = (time: number): boolean =>
    within(time) && !exclude.some(({ from, to }) => time >= from && time < to);
  const { imported: found, ours, isBroken } = await readExport(context, file, format, wanted);
  const kept = ours.filter((edge) => within(edge.lastSeen) && !isWithin(edge, exclude));
  const edges = mergeEdges([...found.edges, ...kept]);
  const { inventory, histories } = found;
  const heed = async (): Promise<void> => heedInterruption(context.signal);
  await heed();
  const report = suggestionReport(
    suggest(edges, inventory, { history: histories, ...options }),
    all,
  );
  await heed();
  // Edges that were summed up before no longer tell on which days they were seen.
  const readiness = kept.length > 0 ? {} : { readiness: readinessOf(histories, inventory) };
  await heed();
  return {
    answer: {
      ...report,
      ...readiness,
      ...(since === undefined ? {} : { since }),
      ...(until === undefined ? {} : { until }),
    },
    imported: { ...found, outside: found.outside + ours.length - kept.length },
    blurred: kept.filter((edge) => touches(edge, exclude)).length,
    replay: replaySuggestion(report.files, edges, inventory, context.now()),
    inventory: kept.length === 0 ? inventory : everybodyIn(edges),
    isBroken,
  };
}

/** Of each application, as of the end of what was read. */
function readinessOf(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
): NonNullable<SuggestAnswer["readiness"]> {
  const { subjects } = readinessReport(recordedReadiness(histories, inventory, "application"));
  return reportedReadiness(subjects);
}

/** As of the end of a record, and without what only a machine knows to be coming. */
export function recordedReadiness(
  histories: readonly EdgeHistory[],
  inventory: Inventory,
  level: ReadinessInput["level"],
): ReadinessInput {
  return {
    histories,
    // Also what is no evidence tells that somebody looked.
    watch: histories.flatMap(({ edge, days }) => {
      const [format, ...others] = formatsOf(edge);
      return days.map(({ day, hours }) =>
        format === undefined || others.length > 0
          ? { day, hours }
          : { day, hours, by: { [format]: hours } },
      );
    }),
    inventory,
    schedules: [],
    dependencies: [],
    now: histories.reduce((most, { edge }) => Math.max(most, edge.lastSeen), 0),
    level,
  };
}

export interface ReadExport {
  /** Flows of any format, summed up. */
  readonly imported: ImportedFlows;
  /** Our own edges, without probes; whenever they were. */
  readonly ours: readonly Edge[];
  /** Single flows, where there were any. */
  readonly samples: SampleBook;
  /** A packed file ended before its time, or is damaged. */
  readonly isBroken: boolean;
}

/** `-` is standard input. `format`: as it was typed; else the file's beginning tells. */
export async function readExport(
  context: Pick<Context, "stdin" | "signal">,
  file: string,
  format?: string,
  wanted: (time: number) => boolean = () => true,
): Promise<ReadExport> {
  const opened = await openFlowFile(context, file, format);
  const fold = createFlowFold(wanted);
  const samples = createSampleBook();
  if (opened.format === undefined && /^\s*\{\s*\n/.test(headText(opened.head))) {
    const summed = ownEdges(await wholeText(opened), file);
    const ours = summed.filter(({ probe }) => probe !== true);
    return { imported: fold.result(), ours, samples, isBroken: opened.broken() !== undefined };
  }
  const sink = {
    ...fold,
    flow(flow: Flow) {
      fold.flow(flow);
      if (wanted(flow.start)) samples.add(flow);
    },
  };
  await readFlows(opened, opened.format ?? hubbleReader(), sink, {
    between: async () => heedInterruption(context.signal),
  });
  const imported = fold.result();
  if (isNothing(imported)) throw nothingRead(imported, file);
  return { imported, ours: [], samples, isBroken: opened.broken() !== undefined };
}

/** What nobody recognises is read as Hubble's, so that it is told line by line why it is not. */
function hubbleReader(): FlowFormatReader {
  const reader = readerOf("hubble");
  if (reader === undefined) throw new Error("the reader of Hubble's export is missing");
  return reader;
}

const headText = (head: Uint8Array): string => new TextDecoder().decode(head.subarray(0, 200));

function isNothing({ flows, outside, lost, beyond, others }: ImportedFlows): boolean {
  return flows + outside + lost + beyond === 0 && Object.keys(others).length === 0;
}

/** A pipeline with the wrong file in it would be green for ever. */
function nothingRead({ malformed }: ImportedFlows, file: string): Error {
  if (malformed.count === 0) {
    const name = file === "-" ? "standard input" : `\`${file}\``;
    return badInput(`${name} holds no flow that can be read`, WRITERS);
  }
  const [first] = malformed.quoted;
  const why =
    first === undefined
      ? ""
      : first.place === 0
        ? `: ${first.problem}`
        : `: line ${first.place} is ${first.problem}: ${first.quote}`;
  return badInput(`no line of \`${file}\` could be read${why}`, WRITERS);
}

function isWithin({ firstSeen, lastSeen }: Edge, windows: readonly TimeWindow[]): boolean {
  return windows.some(({ from, to }) => firstSeen >= from && lastSeen < to);
}

function touches({ firstSeen, lastSeen }: Edge, windows: readonly TimeWindow[]): boolean {
  return windows.some(({ from, to }) => lastSeen >= from && firstSeen < to);
}

const WRITERS =
  "`hubble observe -o jsonpb`, `bulkhead observe -o json` and `bulkhead observe --follow -o json` write what can be read; `--format` names another: " +
  FORMAT_READERS.map(({ name }) => name).join(", ");

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
