/**
 * Which commit a policy file is from, asked of `git` when the file is in a work tree. A repository may say which programs git
 * runs, so that root must not ask in somebody else's name: git runs as the owner of the repository, without filters, hooks or
 * a network.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import type { PolicyFileInput } from "@bulkhead/api";
import type { FileOrigin } from "@bulkhead/model";

const TIMEOUT_MS = 5000;
/** A repository's own settings must start nothing: watchers, signature checks, transports for what a partial clone lacks. */
const SETTINGS = [
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "log.showSignature=false",
  "protocol.allow=never",
];
const QUIET = [
  ...SETTINGS.flatMap((setting) => ["-c", setting]),
  "--no-pager",
  "--no-optional-locks",
  "--literal-pathspecs",
];

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

interface InTree {
  readonly root: string;
  readonly path: string;
}

/** Looked for by hand: where there is no repository, git need not even be installed. */
function workTreeOf(name: string): InTree | undefined {
  let file: string;
  try {
    file = join(realpathSync(dirname(name)), basename(name));
  } catch {
    return undefined; // gone since it was read
  }
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (exists(join(folder, ".git"))) {
      return { root: folder, path: relative(folder, file).split(sep).join("/") };
    }
    if (dirname(folder) === folder) return undefined;
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
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

function git(root: string, args: readonly string[]): Promise<string> {
  // Whoever made `.git` wrote its settings; git itself refuses where the folder around it is somebody else's.
  const { uid, gid } = lstatSync(join(root, ".git"));
  const owner = process.geteuid?.() === 0 && uid !== 0 ? { uid, gid } : {};
  const { PATH = "/usr/bin:/bin" } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      "git",
      [...QUIET, ...args],
      {
        ...owner,
        cwd: root,
        // Nothing of the caller's surroundings, which may belong to another repository or to root.
        env: { PATH, LC_ALL: "C", HOME: "/nonexistent", GIT_TERMINAL_PROMPT: "0" },
        timeout: TIMEOUT_MS,
        maxBuffer: 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.code === "ENOENT") reject(new Error("git is not installed"));
        // A repository without a commit: nothing is from git yet.
        else if (/does not have any commits yet/.test(stderr)) resolve("");
        else reject(new Error(stderr.split("\n")[0] || error.message));
      },
    );
  });
}
