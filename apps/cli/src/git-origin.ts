/** Which commit a policy file is from, asked of `git` when the file is in a work tree. */
import { createHash } from "node:crypto";
import type { PolicyFileInput } from "@bulkhead/api";
import type { FileOrigin } from "@bulkhead/model";
import { git, workTreeOf, type InTree } from "./git.ts";

export interface WithOrigins {
  readonly files: readonly PolicyFileInput[];
  /** Why what seems to be from git has no commit, one sentence a work tree. */
  readonly problems: readonly string[];
}

/** Files that are from no work tree, or in none of its commits, stay as they are. */
export async function withOrigins(files: readonly PolicyFileInput[]): Promise<WithOrigins> {
  const problems = new Set<string>();
  const found: PolicyFileInput[] = [];
  for (const file of files) {
    const tree = file.name === "-" ? undefined : workTreeOf(file.name);
    try {
      const origin = tree === undefined ? undefined : await originOf(tree, file.text);
      found.push(origin === undefined ? file : { ...file, origin });
    } catch (error) {
      const reason = error instanceof Error ? error.message.trim() : String(error);
      problems.add(`the commit of \`${file.name}\` is not recorded: ${reason}`);
      found.push(file);
    }
  }
  return { files: found, problems: [...problems] };
}

async function originOf({ root, path }: InTree, text: string): Promise<FileOrigin | undefined> {
  const commit = (await git(root, ["log", "-1", "--format=%H", "--", path])).trim();
  if (!/^[0-9a-f]{40,64}$/.test(commit)) return undefined; // in no commit yet
  const listed = await git(root, ["ls-tree", "--full-tree", commit, "--", path]);
  const blob = /^\d+ blob ([0-9a-f]+)\t/.exec(listed)?.[1];
  return { commit, path, changed: blob !== blobOf(text, commit.length === 64) };
}

/** As git names the content of a file (gitformat-pack(5)); attributes may make it another, which then counts as changed. */
function blobOf(text: string, long: boolean): string {
  const content = Buffer.from(text, "utf8");
  return createHash(long ? "sha256" : "sha1")
    .update(`blob ${content.length}\0`)
    .update(content)
    .digest("hex");
}
