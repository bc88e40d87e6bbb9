/**
 * Where an installation lies: versions side by side below /opt/bulkhead, a link `current` to the one in use, and links
 * from the folders where shells and the manual look. Whatever names Bulkhead names `current`, so one rename switches all.
 *
 *   /usr/local/bin/bulkhead ──► /opt/bulkhead/current ──► /opt/bulkhead/0.2.0
 *                                                         /opt/bulkhead/0.1.0   the one before, for going back
 */
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import { cannotRun } from "../failure.ts";

const HOME = "/opt/bulkhead";
/** From where it is looked for, to what `current` holds. */
const LINKS: Readonly<Record<string, string>> = {
  "/usr/local/bin/bulkhead": "bulkhead",
  "/usr/local/share/man/man1/bulkhead.1": "share/man/man1/bulkhead.1",
  "/usr/local/share/bash-completion/completions/bulkhead":
    "share/bash-completion/completions/bulkhead",
  "/usr/local/share/zsh/site-functions/_bulkhead": "share/zsh/site-functions/_bulkhead",
  "/usr/local/share/fish/vendor_completions.d/bulkhead.fish":
    "share/fish/vendor_completions.d/bulkhead.fish",
};

export interface Place {
  /** The machine, or a folder that will become one (`--root`). */
  readonly staged: boolean;
  readonly home: string;
  readonly current: string;
  folderOf(version: string): string;
  /** What a link at `at` must say to be ours; paths as they are once the folder is a machine. */
  readonly links: readonly { readonly at: string; readonly to: string }[];
}

export function placeIn(root: string | undefined): Place {
  const top = root ?? "/";
  const home = join(top, HOME);
  return {
    staged: root !== undefined,
    home,
    current: join(home, "current"),
    folderOf: (version) => join(home, version),
    links: Object.entries(LINKS).map(([at, to]) => ({
      at: join(top, at),
      to: join(HOME, "current", to),
    })),
  };
}

/** The version in use; undefined where there is none. */
export function versionInUse({ current }: Place): string | undefined {
  const target = linkAt(current);
  return target === undefined ? undefined : basename(target);
}

/** Every version that lies there whole. What else lies there is somebody else's. */
export function versionsIn(place: Place): readonly string[] {
  if (!existsSync(place.home)) return [];
  return readdirSync(place.home).filter((name) => {
    const folder = place.folderOf(name);
    return lstatSync(folder).isDirectory() && versionOf(folder) === name;
  });
}

/** The version of a payload; undefined where there is none of ours. */
export function versionOf(folder: string): string | undefined {
  try {
    const file: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const { name, version } = file as { readonly name?: unknown; readonly version?: unknown };
    return name === "bulkhead" && typeof version === "string" && /^\d[\w.+~-]*$/.test(version)
      ? version
      : undefined;
  } catch {
    return undefined; // nothing of ours is there: that is the answer
  }
}

/** What a link says; undefined when nothing is there. Something else in its place is refused. */
export function linkAt(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) return readlinkSync(path);
  throw cannotRun(`\`${path}\` is in the way: it is not ours`, "move it away, and try again");
}

/** In one step: whoever looks finds the old or the new, never nothing. */
export function pointTo(path: string, target: string): void {
  rmSync(`${path}.new`, { force: true });
  symlinkSync(target, `${path}.new`);
  renameSync(`${path}.new`, path);
}
