/** Writes an answer to the file a person named: never over another one unasked, and every refusal in words. */
import { stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { badInput, cannotRun, type CliFailure } from "./failure.ts";

export interface Target {
  readonly file: string;
  /** `wx` also refuses what came into being since we looked. */
  readonly flag: "w" | "wx";
}

/** Looked at before the work is done: a refusal need not wait for it. */
export async function targetOf(file: string, overwrite: boolean): Promise<Target> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw badInput(`\`${file}\` is a folder`, "name a file in it");
    if (found.isFile() && !overwrite) throw existsAlready(file);
    return { file, flag: "w" }; // asked for, or a device or pipe
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") {
      await checkFolder(file);
      return { file, flag: overwrite ? "w" : "wx" };
    }
    throw refusal(file, error);
  }
}

export async function save({ file, flag }: Target, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag });
  } catch (error) {
    throw refusal(file, error);
  }
}

async function checkFolder(file: string): Promise<void> {
  const folder = dirname(file);
  try {
    await stat(folder);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw refusal(file, error);
    throw badInput(`there is no folder \`${folder}\` to write to`, `mkdir -p ${folder}`);
  }
}

const existsAlready = (file: string): CliFailure =>
  badInput(`\`${file}\` exists already`, "add --overwrite, or name another file");

function refusal(file: string, error: unknown): unknown {
  switch (codeOf(error)) {
    case undefined:
      return error;
    case "EEXIST":
      return existsAlready(file);
    case "ELOOP":
      return badInput(`\`${file}\` is a loop of symbolic links`, "name another file");
    case "ENOTDIR":
      return badInput(`\`${dirname(file)}\` is no folder`, "name another file");
    default:
      return cannotRun(
        `cannot write \`${file}\`: ${error instanceof Error ? error.message : String(error)}`,
      );
  }
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
