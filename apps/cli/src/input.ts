/** Reads the POLICY arguments: files, folders (every .yaml, .yml and .json below, in order of name), and `-` for stdin. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PolicyFileInput } from "@bulkhead/api";
import type { Context } from "./context.ts";
import { badInput } from "./failure.ts";
import { orInterrupted } from "./interruption.ts";

const POLICY_FILE = /\.(ya?ml|json)$/;

export async function readPolicyFiles(
  context: Pick<Context, "stdin" | "signal">,
  paths: readonly string[],
): Promise<PolicyFileInput[]> {
  const files: PolicyFileInput[] = [];
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const path of paths) {
    if (path === "-") {
      files.push({ name: "-", text: await orInterrupted(context.signal, readAll(context.stdin)) });
      continue;
    }
    try {
      for (const name of await expand(path)) {
        if (seen.has(name)) continue;
        seen.add(name);
        files.push({ name, text: await readFile(name, "utf8") });
      }
    } catch (error) {
      problems.push(`\`${path}\`: ${reason(error)}`);
    }
  }
  if (problems.length > 0) throw badInput(`cannot read ${problems.join("; ")}`);
  // Above all with --prune: nothing at all is a mistake, not a wish to remove everything.
  if (files.every((file) => isBlank(file.text))) {
    throw badInput(`no resources in ${paths.map((path) => `\`${path}\``).join(", ")}`);
  }
  return files;
}

/** Nothing but white space, comments and document marks. */
function isBlank(text: string): boolean {
  return text.split(/\r\n|\n|\r/).every((line) => /^\s*(#.*|---|\.\.\.)?\s*$/.test(line));
}

async function expand(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const found = entries
    .filter((entry) => entry.isFile() && POLICY_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  if (found.length === 0) throw new Error("the folder has no .yaml, .yml or .json file");
  return found;
}

function reason(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "no such file or folder";
  if (code === "EACCES") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}

async function readAll(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}
