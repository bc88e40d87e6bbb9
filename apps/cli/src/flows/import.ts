/** Brings files of recorded flows into the running controller: read here, unpacked here, and handed over batch by batch. */
import { randomInt } from "node:crypto";
import type { ApiClient, ImportFlowsAnswer } from "@bulkhead/api";
import { watchFlows, type FlowSink, type Malformed } from "@bulkhead/sources";
import type { FlowOrigin } from "@bulkhead/model";
import type { Context } from "../context.ts";
import { badInput, Interrupted } from "../failure.ts";
import type { Progress } from "../progress.ts";
import type { FlowsImportAnswer } from "../schemas.ts";
import { thousands } from "../ui/words.ts";
import { createBatches, type Batch } from "./batches.ts";
import { openFlowFile, readFlows, type FlowFile } from "./flow-file.ts";
import { createSendLine } from "./send-line.ts";

const QUOTED = 5;
const MOST_KINDS = 50;
/** Edges are told apart up to so many; beyond, there are at least these. */
const MOST_EDGES = 200_000;

type ImportedFile = FlowsImportAnswer["files"][number];

export async function importFile(
  context: Pick<Context, "stdin" | "signal">,
  client: ApiClient,
  file: string,
  format: string | undefined,
  progress: Progress,
  store?: string,
): Promise<ImportedFile> {
  const opened = await openFlowFile(context, file, format);
  const reader = opened.format;
  if (reader === undefined) throw unrecognised(opened);
  const batches = createBatches(reader.name, store);
  const tally = createTally();
  const watch = watchFlows(
    {
      ...tally.sink,
      flow(flow, turned) {
        tally.sink.flow(flow);
        batches.add(flow, turned);
      },
    },
    randomInt(2 ** 32),
  );

  const line = createSendLine<Batch>(async (batch) => {
    tally.acknowledged(batch.flows.length, await client.call("importFlows", batch));
    progress.update(progressText(opened, tally.sent()));
  });
  try {
    await readFlows(opened, reader, watch, {
      ...(store === undefined ? {} : { store }),
      between: async () => {
        if (context.signal.aborted) throw interrupted(tally.sent());
        for (const batch of batches.take()) await line.send(batch);
      },
    });
    for (const batch of batches.take(true)) await line.send(batch);
    await line.idle();
  } catch (error) {
    // What is under way is stored, or not, before it is said how much is.
    await line.settled();
    throw context.signal.aborted ? interrupted(tally.sent()) : error;
  }
  return tally.result({
    file,
    format: reader.name,
    duplicates: watch.duplicates,
    backwards: watch.backwards,
    ...brokenOf(opened),
  });
}

function brokenOf({ broken }: FlowFile): Pick<ImportedFile, "broken"> {
  const problem = broken();
  return problem === undefined ? {} : { broken: problem };
}

function interrupted(sent: number): Interrupted {
  return new Interrupted(
    `${thousands(sent)} flows of it are stored; run it again to go on: they are not counted twice`,
  );
}

function unrecognised({ file, head }: FlowFile): Error {
  const help =
    "name it: bulkhead flows import FORMAT FILE; `bulkhead flows formats` lists what is read";
  return head.length === 0
    ? badInput(`\`${file}\` is empty`)
    : badInput(`\`${file}\` looks like no format of flows that is known`, help);
}

const BAR = 20;

function progressText({ file, size, taken }: FlowFile, sent: number): string {
  const flows = `${thousands(sent)} flows`;
  if (size === undefined || size === 0) return `importing ${file}: ${flows}`;
  const share = Math.min(1, taken() / size);
  const full = Math.round(share * BAR);
  const bar = `${"█".repeat(full)}${"░".repeat(BAR - full)}`;
  return `importing ${file} ${bar} ${Math.floor(share * 100)} %, ${flows}`;
}

function createTally() {
  const others = new Map<string, number>();
  const quoted: Malformed[] = [];
  const edges = new Set<string>();
  const origins = new Map<string, FlowOrigin>();
  const sums = {
    malformed: 0,
    lost: 0,
    flows: 0,
    stored: 0,
    known: 0,
    repeated: 0,
    future: 0,
    old: 0,
  };
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const sink: FlowSink = {
    flow({ source, destination, protocol, port, verdict, start, end, origin }) {
      sums.flows += 1;
      first = Math.min(first, start);
      last = Math.max(last, end);
      if (edges.size < MOST_EDGES) {
        edges.add(`${source.name} ${destination.name} ${protocol} ${port} ${verdict}`);
      }
      if (origin !== undefined) {
        origins.set(`${origin.sampling} ${origin.aggregation} ${origin.direction}`, origin);
      }
    },
    malformed(problem) {
      sums.malformed += 1;
      if (quoted.length < QUOTED) quoted.push(problem);
    },
    other(what) {
      const kind = others.has(what) || others.size < MOST_KINDS ? what : "others";
      others.set(kind, (others.get(kind) ?? 0) + 1);
    },
    lost(events) {
      sums.lost += events;
    },
  };
  return {
    sink,
    sent: () => sums.stored + sums.known + sums.repeated + sums.future,
    acknowledged(count: number, answer: ImportFlowsAnswer): void {
      if (answer.known) sums.known += count;
      sums.stored += answer.stored;
      sums.repeated += answer.repeated;
      sums.future += answer.future;
      sums.old += answer.old;
    },
    result(
      about: Pick<ImportedFile, "file" | "format" | "duplicates" | "backwards" | "broken">,
    ): ImportedFile {
      const all = [...origins.values()];
      return {
        ...about,
        flows: sums.flows,
        stored: sums.stored,
        known: sums.known,
        repeated: sums.repeated,
        future: sums.future,
        old: sums.old,
        edges: edges.size,
        ...(sums.flows === 0 ? {} : { first, last }),
        malformed: { count: sums.malformed, quoted },
        others: Object.fromEntries([...others].toSorted(([a], [b]) => (a < b ? -1 : 1))),
        lost: sums.lost,
        sampling: Math.max(1, ...all.map(({ sampling }) => sampling)),
        aggregation: Math.max(0, ...all.map(({ aggregation }) => aggregation)),
        guessed: all.some(({ direction }) => direction === "guessed"),
      };
    },
  };
}
