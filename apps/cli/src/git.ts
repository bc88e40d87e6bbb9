/**
 * Questions to `git` about somebody's repository. It may say which programs git runs, so that root must not ask in somebody
 * else's name: git runs as the owner of the repository, without filters, hooks or a network.
 */
import { execFile } from "node:child_process";
import { lstatSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";

const TIMEOUT_MS = 5000;
const LONGEST_ANSWER = 1024 * 1024;
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

export interface InTree {
  readonly root: string;
  readonly path: string;
}

/** Looked for by hand: where there is no repository, git need not even be installed. */
export function workTreeOf(name: string): InTree | undefined {
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

export async function git(root: string, args: readonly string[]): Promise<string> {
  return (await gitBytes(root, args)).toString("utf8");
}

export interface GitRun {
  /** For its standard input. */
  readonly input?: string;
  /** Bytes; a megabyte unless said. */
  readonly longest?: number;
  /** Milliseconds; five seconds unless said. */
  readonly timeout?: number;
}

export function gitBytes(
  root: string,
  args: readonly string[],
  { input = "", longest = LONGEST_ANSWER, timeout = TIMEOUT_MS }: GitRun = {},
): Promise<Buffer> {
  // Whoever made `.git` wrote its settings; git itself refuses where the folder around it is somebody else's.
  const { uid, gid } = lstatSync(join(root, ".git"));
  const owner = process.geteuid?.() === 0 && uid !== 0 ? { uid, gid } : {};
  const { PATH = "/usr/bin:/bin" } = process.env;
  return new Promise((resolve, reject) => {
    const child = execFile(
      "git",
      [...QUIET, ...args],
      {
        ...owner,
        cwd: root,
        // Nothing of the caller's surroundings, which may belong to another repository or to root.
        env: { PATH, LC_ALL: "C", HOME: "/nonexistent", GIT_TERMINAL_PROMPT: "0" },
        timeout,
        maxBuffer: longest,
        encoding: "buffer",
      },
      (error, stdout, stderr) => {
        const said = stderr.toString("utf8");
        if (error === null) resolve(stdout);
        else if (error.code === "ENOENT") reject(new Error("git is not installed"));
        // A repository without a commit: nothing is from git yet.
        else if (/does not have any commits yet/.test(said)) resolve(Buffer.alloc(0));
        else reject(new Error(said.split("\n")[0] || error.message));
      },
    );
    // Git may end before it has read everything; how it ended is told above.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
