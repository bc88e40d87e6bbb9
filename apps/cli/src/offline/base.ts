/** Files as they were at a commit, read from git's objects: nothing is checked out, and no file of the work tree is touched. */
import { stat } from "node:fs/promises";
import { join, posix } from "node:path";
import type { PolicyFileInput } from "@bulkhead/api";
import { badInput } from "../failure.ts";
import { gitBytes, git, workTreeOf } from "../git.ts";
import { isPolicyFile, type InputLimits } from "../input.ts";

const SLOW_MS = 120_000;

/** What `paths` held at `ref`; names are those that they have here, behind `REF:`. Nothing where they did not exist yet. */
export async function filesAt(
  ref: string,
  paths: readonly string[],
  limits: InputLimits,
): Promise<readonly PolicyFileInput[]> {
  const found = await Promise.all(paths.map((path) => filesBelow(ref, path, limits)));
  return found.flat();
}

async function filesBelow(
  ref: string,
  path: string,
  limits: InputLimits,
): Promise<readonly PolicyFileInput[]> {
  if (path === "-") throw badInput("standard input has no commit to compare with");
  // The folder itself may be the top of the work tree: looked for from something in it.
  const isFolder = (await stat(path)).isDirectory();
  const tree = workTreeOf(isFolder ? join(path, "x") : path);
  if (tree === undefined) throw badInput(`\`${path}\` is in no git repository`);
  const { root } = tree;
  const inside = isFolder ? posix.join(tree.path, "..").replace(/^\.$/, "") : tree.path;
  const commit = await commitOf(root, ref);
  const listed = await gitBytes(
    root,
    ["ls-tree", "-r", "-l", "-z", "--full-tree", commit, ...(inside === "" ? [] : ["--", inside])],
    { longest: 1 << 28, timeout: SLOW_MS },
  );
  const blobs = listed
    .toString("utf8")
    .split("\0")
    .flatMap((line) => {
      const [, oid, size, name] = /^100\d{3} blob ([0-9a-f]+) +(\d+)\t(.+)$/s.exec(line) ?? [];
      const isWanted = name !== undefined && (name === inside || isPolicyFile(name));
      return isWanted ? [{ oid: oid!, size: Number(size), name }] : [];
    });
  for (const { size, name } of blobs) {
    if (size > limits.fileSize) {
      throw badInput(`\`${ref}:${name}\` is larger than what is read of one file`);
    }
  }
  if (blobs.length > limits.files) throw badInput(`more than ${limits.files} files at \`${ref}\``);
  const whole = blobs.reduce((sum, { size }) => sum + size + 200, 1000);
  const read = await gitBytes(root, ["cat-file", "--batch"], {
    input: blobs.map(({ oid }) => `${oid}\n`).join(""),
    longest: whole,
    timeout: SLOW_MS,
  });
  let at = 0;
  return blobs.map(({ size, name }) => {
    const start = read.indexOf(0x0a, at) + 1;
    const text = read.toString("utf8", start, start + size);
    at = start + size + 1;
    const here = inside === name ? path : join(path, posix.relative(inside, name));
    return { name: `${ref}:${here}`, text };
  });
}

async function commitOf(root: string, ref: string): Promise<string> {
  try {
    const asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
    return (await git(root, asked)).trim();
  } catch {
    throw badInput(
      `there is no commit \`${ref}\` in \`${root}\``,
      "in a pipeline fetch it first: git fetch --depth 1 origin BRANCH, and name it origin/BRANCH",
    );
  }
}
