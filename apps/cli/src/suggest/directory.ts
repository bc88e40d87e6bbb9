/** `suggest --directory`: one file an application, all of them or none; files of applications that are no more are left alone. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cannotRun } from "../failure.ts";
import { save, targetOf, type Target } from "../save.ts";

export interface FileToWrite {
  readonly target: Target;
  readonly text: string;
}

/** Looked at all of them before any is written. */
export async function targetsOf(
  folder: string,
  files: readonly { readonly name: string; readonly text: string }[],
  overwrite: boolean,
): Promise<readonly FileToWrite[]> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw cannotRun(
      `cannot make the folder \`${folder}\`: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const found: FileToWrite[] = [];
  for (const { name, text } of files) {
    found.push({ target: await targetOf(join(folder, name), overwrite), text });
  }
  return found;
}

export async function saveFiles(files: readonly FileToWrite[]): Promise<void> {
  for (const { target, text } of files) await save(target, text);
}
