/** Reads the POLICY arguments: files, folders (every .yaml, .yml and .json below, in order of name), and `-` for stdin. */
import { open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import type { PolicyFileInput } from "@bulkhead/api";
import type { Context } from "./context.ts";
import { badInput } from "./failure.ts";
import { orInterrupted } from "./interruption.ts";
import { shellWord } from "./ui/shell.ts";
import { nearest } from "./ui/spell.ts";

export interface InputLimits {
  /** Files below one folder. More is somebody's home, not a policy. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileSize: number;
  /** What to type for others, if anything: `--limit files=5000`. */
  readonly option?: string;
}

const LIMITS: InputLimits = { files: 2000, fileSize: 100_000_000 };
const NOT_TEXT = "it is not text";
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const POLICY_FILE = /\.(ya?ml|json)$/;

/** By its name: one of those that are read below a folder. */
export function isPolicyFile(name: string): boolean {
  return POLICY_FILE.test(name);
}

/** Written as a path: no workload's name looks so. */
const PATH = /^\.{0,2}\/|\/$|\.(ya?ml|json)$/;

/** `path`: it can be nothing else. `entry`: it could be a name as well, but such a file or folder is there. */
export async function pathLikeness(word: string): Promise<"path" | "entry" | "name"> {
  if (word === "-" || PATH.test(word)) return "path";
  return (await stat(word).catch(() => undefined)) === undefined ? "name" : "entry";
}

export async function readPolicyFiles(
  context: Pick<Context, "stdin" | "signal">,
  paths: readonly string[],
  limits: InputLimits = LIMITS,
): Promise<PolicyFileInput[]> {
  const files: PolicyFileInput[] = [];
  const seen = new Set<string>();
  const problems: string[] = [];
  let near: string | undefined;
  for (const path of paths) {
    if (path === "-") {
      const text = await orInterrupted(context.signal, readAll(context.stdin, limits));
      if (text === undefined) problems.push(`standard input: ${tooLarge(limits)}`);
      else files.push({ name: "-", text });
      continue;
    }
    try {
      for (const name of await expand(path, limits)) {
        if (seen.has(name)) continue;
        seen.add(name);
        if ((await stat(name)).size > limits.fileSize) {
          const isBinary = (await beginningOf(name)).includes(0);
          problems.push(`\`${name}\`: ${isBinary ? NOT_TEXT : tooLarge(limits)}`);
          continue;
        }
        const text = await readFile(name, "utf8");
        // A program or a picture would come back as pages of errors.
        if (text.includes("\0")) problems.push(`\`${name}\`: ${NOT_TEXT}`);
        else files.push({ name, text });
      }
    } catch (error) {
      problems.push(`\`${pathOf(error) ?? path}\`: ${reason(error)}`);
      near ??=
        isMissing(error) && (pathOf(error) ?? path) === path ? await nearFile(path) : undefined;
    }
  }
  if (problems.length > 0) {
    throw badInput(
      `cannot read ${problems.join("; ")}`,
      near === undefined ? undefined : `did you mean \`${near}\`?`,
    );
  }
  await refuseFlows(files.filter(({ name }) => paths.includes(name) && !isYaml(name)));
  // Above all with --prune: nothing at all is a mistake, not a wish to remove everything.
  if (files.every((file) => isBlank(file.text))) {
    throw badInput(
      `no resources in ${paths.map((path) => `\`${path}\``).join(", ")}`,
      "`bulkhead suggest` writes the first, from what was seen",
    );
  }
  return files;
}

const isYaml = (name: string): boolean => /\.ya?ml$/.test(name);

/** Read as policies, every line of recorded flows would be an error of its own. */
async function refuseFlows(files: readonly PolicyFileInput[]): Promise<void> {
  if (files.length === 0) return;
  const { HEAD_BYTES, recogniseFormat } = await import("@bulkhead/sources");
  for (const { name, text } of files) {
    const looks = recogniseFormat(new TextEncoder().encode(text.slice(0, HEAD_BYTES)));
    if (looks === undefined) continue;
    throw badInput(
      `\`${name}\` is no policy: this looks like recorded flows of ${looks.name} (${looks.title})`,
      `bulkhead check policies/ --flows ${shellWord(name)}`,
    );
  }
}

/** Nothing but white space, comments and document marks. */
function isBlank(text: string): boolean {
  return text.split(/\r\n|\n|\r/).every((line) => /^\s*(#.*|---|\.\.\.)?\s*$/.test(line));
}

async function expand(path: string, limits: InputLimits): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const named = (some: typeof entries) =>
    some.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  const found = named(entries.filter((entry) => entry.isFile() && isPolicyFile(entry.name)));
  await refuseLinks(path, named(entries.filter((entry) => entry.isSymbolicLink())));
  // A line break in it would make lines of its own in reports, and pipelines obey some of those.
  const strange = found.find((name) => CONTROL.test(name));
  if (strange !== undefined) {
    throw new Error(`${JSON.stringify(strange)} has control characters in its name`);
  }
  if (found.length === 0) throw new Error("the folder has no .yaml, .yml or .json file");
  if (found.length > limits.files) {
    throw new Error(
      `${found.length} files below it, and at most ${limits.files} are read: name the right folder${otherwise(limits, "files")}`,
    );
  }
  return found;
}

/**
 * Links are not followed: a folder from elsewhere could have anybody's files printed or written. What stands behind one is read
 * where it is, if that is in the folder, as a mounted ConfigMap has it; else it would be missing without a word.
 */
async function refuseLinks(path: string, links: readonly string[]): Promise<void> {
  const whole = await realpath(path);
  for (const link of links) {
    const target = await realpath(link).catch(() => undefined);
    const isFolder = target !== undefined && (await stat(target)).isDirectory();
    if (!isFolder && !isPolicyFile(link)) continue;
    const isInside = target?.startsWith(join(whole, sep)) === true;
    if (isInside && (isFolder || isPolicyFile(target))) continue;
    throw new Error(
      `\`${link}\` is a symbolic link out of the folder, or to nothing that is read: put a copy there`,
    );
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** In a folder it is one of its files that cannot be read. */
function pathOf(error: unknown): string | undefined {
  const path = error instanceof Error && "path" in error ? error.path : undefined;
  return typeof path === "string" ? path : undefined;
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** A file with nearly that name. */
async function nearFile(path: string): Promise<string | undefined> {
  try {
    const name = nearest(basename(path), await readdir(dirname(path)));
    return name === undefined ? undefined : join(dirname(path), name);
  } catch {
    return undefined; // no folder, no names: the error itself is told
  }
}

function reason(error: unknown): string {
  const code = codeOf(error);
  if (code === "ENOENT") return "no such file or folder";
  if (code === "EACCES") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}

async function beginningOf(name: string): Promise<Uint8Array> {
  const file = await open(name);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function tooLarge(limits: InputLimits): string {
  return `larger than the ${limits.fileSize / 1_000_000} MB that are read of one file${otherwise(limits, "file-size")}`;
}

function otherwise({ option }: InputLimits, name: string): string {
  return option === undefined ? "" : ` (\`${option} ${name}=…\` for more)`;
}

/** Undefined: more than is read of one file. */
async function readAll(
  stream: AsyncIterable<Uint8Array | string>,
  { fileSize }: InputLimits,
): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    if ((size += bytes.length) > fileSize) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
