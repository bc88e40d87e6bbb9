/**
 * Writes what is on record to a file of the caller's: Parquet, whose bytes the controller sends, or JSON Lines as `observe`
 * prints them. The controller is told no path; the file is made with the rights of whoever asks.
 */
import { open, rm, type FileHandle } from "node:fs/promises";
import type { ApiClient, FlowFilter } from "@bulkhead/api";
import type { Context } from "../context.ts";
import { badInput, cannotRun, Interrupted } from "../failure.ts";
import { writeOut } from "../lines.ts";
import type { Progress } from "../progress.ts";
import { targetOf } from "../save.ts";
import type { FlowsExportAnswer } from "../schemas.ts";
import { storeMark } from "./store-mark.ts";
import { bytes, thousands } from "../ui/words.ts";

export const EXPORT_FORMATS = ["parquet", "jsonl"] as const;
type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface Asked {
  /** `-`: standard output. */
  readonly file: string;
  readonly format: ExportFormat;
  readonly what: "flows" | "edges";
  readonly filter: FlowFilter;
  readonly overwrite: boolean;
}

/** By the file's name, unless it is said. */
export function exportFormat(file: string, said: string | undefined): ExportFormat {
  const known = EXPORT_FORMATS.find((one) => one === said);
  if (said !== undefined && known === undefined)
    throw badInput(
      `\`--as ${said}\` is no format of an export`,
      `use ${EXPORT_FORMATS.join(", ")}`,
    );
  if (known !== undefined) return known;
  if (file === "-" || /\.(?:jsonl|ndjson|json)$/.test(file)) return "jsonl";
  if (/\.(?:parquet|pq)$/.test(file)) return "parquet";
  throw badInput(
    `the name \`${file}\` does not tell what is to be written`,
    "end it in .parquet or .jsonl, or add --as parquet",
  );
}

export async function exportTo(
  context: Context,
  client: ApiClient,
  asked: Asked,
  progress: Progress,
): Promise<FlowsExportAnswer> {
  const { file, format, what } = asked;
  if (file === "-") {
    if (format === "parquet")
      throw badInput("Parquet is no text", "name a file, or add --as jsonl");
    const rows = await writeLines(context, client, asked, progress, (text) =>
      writeOut(context.stdout, text),
    );
    return { file, format, what, rows };
  }
  const target = await targetOf(file, asked.overwrite);
  const handle = await open(target.file, target.flag).catch((error: unknown) => {
    throw cannotRun(`cannot write \`${file}\`: ${String(error)}`);
  });
  let whole = false;
  try {
    const rows =
      format === "parquet"
        ? await writeParquet(context, client, asked, progress, handle)
        : await writeLines(context, client, asked, progress, async (text) => {
            await handle.write(text);
          });
    whole = true;
    return { file, format, what, rows };
  } finally {
    await handle.close();
    // Half a file that we made is nobody's.
    if (!whole && target.flag === "wx") await rm(target.file, { force: true });
  }
}

async function writeParquet(
  context: Context,
  client: ApiClient,
  { filter, what }: Asked,
  progress: Progress,
  handle: FileHandle,
): Promise<number> {
  const answers = client.stream("exportFlows", { ...filter, what }, { signal: context.signal });
  let rows = 0;
  let total = 0;
  let written = 0;
  try {
    for await (const answer of answers) {
      if (answer.kind === "begin") {
        rows = answer.rows;
        total = answer.bytes;
        continue;
      }
      const piece = Buffer.from(answer.base64, "base64");
      await handle.write(piece);
      written += piece.length;
      progress.update(`exporting ${bytes(written)} of ${bytes(total)}`);
    }
  } catch (error) {
    throw context.signal.aborted ? new Interrupted() : error;
  }
  if (written !== total)
    throw cannotRun("the controller hung up in the middle of the export", "try again");
  return rows;
}

async function writeLines(
  context: Context,
  client: ApiClient,
  { filter, what }: Asked,
  progress: Progress,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let rows = 0;
  const put = async (value: unknown): Promise<void> => {
    await write(`${JSON.stringify(value)}\n`);
    rows += 1;
    if (rows % 1000 === 0) progress.update(`exporting ${thousands(rows)} ${what}`);
  };
  try {
    if (what === "edges") {
      const { edges } = await client.call("edges", filter, { signal: context.signal });
      for (const edge of edges) await put(edge);
    } else {
      const marked = await storeMark(client, context.signal);
      const flows = client.stream("flows", { ...filter, limit: 0 }, { signal: context.signal });
      for await (const flow of flows) await put(marked(flow));
    }
  } catch (error) {
    throw context.signal.aborted ? new Interrupted() : error;
  }
  return rows;
}
