/** A folder of files for verbs that need no more than that. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Folder {
  readonly dir: string;
  write(name: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

export async function folder(files: Readonly<Record<string, string>>): Promise<Folder> {
  const dir = await mkdtemp(join(tmpdir(), "bulkhead-folder-"));
  const write = (name: string, text: string) => writeFile(join(dir, name), text);
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { dir, write, remove: () => rm(dir, { recursive: true, force: true }) };
}

export const pod = (namespace: string, name: string, labels = `app: ${name}`): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: ${namespace}, labels: { ${labels} } }\n---\n`;
