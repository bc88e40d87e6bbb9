/** The steps of putting a version in place: its files, the link that makes it the one in use, and the links to it. */
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { cannotRun } from "../failure.ts";
import { linkAt, pointTo, versionsIn, type Place } from "./place.ts";
import type { Step } from "./steps.ts";

/** Copies the payload aside, then names it in one step: a version that is there is there whole. */
export function copyIn(source: string, place: Place, version: string): Step {
  const folder = place.folderOf(version);
  const partial = join(place.home, `.${version}.partial`);
  return {
    what: `copy Bulkhead ${version} to ${folder}`,
    run() {
      mkdirSync(place.home, { recursive: true });
      // Whatever the mask of this shell: those who may read have to get at the program.
      chmodSync(place.home, 0o755);
      for (const left of [partial, folder]) rmSync(left, { recursive: true, force: true });
      cpSync(source, partial, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => path !== join(source, "node_modules", ".cache"),
      });
      renameSync(partial, folder);
    },
    undo() {
      for (const left of [partial, folder]) rmSync(left, { recursive: true, force: true });
      removeIfEmpty(place.home);
    },
  };
}

export function switchTo(place: Place, version: string): Step {
  const before = linkAt(place.current);
  return {
    what: `make ${version} the version in use`,
    run: () => pointTo(place.current, version),
    undo() {
      if (before === undefined) rmSync(place.current, { force: true });
      else pointTo(place.current, before);
    },
  };
}

/** Refuses, before anything is done, where something else is in the way. */
export function linkUp(place: Place): readonly Step[] {
  return place.links.flatMap(({ at, to }): readonly Step[] => {
    const found = linkAt(at);
    if (found === to) return [];
    if (found !== undefined)
      throw cannotRun(
        `\`${at}\` is in the way: it leads to \`${found}\``,
        "move it away, and try again",
      );
    return [
      {
        what: `link ${at} to ${to}`,
        run() {
          mkdirSync(dirname(at), { recursive: true, mode: 0o755 });
          pointTo(at, to);
        },
        undo: () => rmSync(at, { force: true }),
      },
    ];
  });
}

/** Versions other than these two are not gone back to any more. */
export function dropOthers(place: Place, kept: readonly (string | undefined)[]): readonly Step[] {
  return versionsIn(place)
    .filter((version) => !kept.includes(version))
    .map((version) => ({
      what: `remove version ${version}`,
      run: () => rmSync(place.folderOf(version), { recursive: true }),
    }));
}

/** Everything that `install` and `upgrade` put there, and nothing else. */
export function takeOut(place: Place): readonly Step[] {
  const links = place.links.filter(({ at, to }) => ours(at) === to);
  return [
    ...links.map(({ at }) => ({ what: `remove ${at}`, run: () => rmSync(at) })),
    ...(ours(place.current) === undefined
      ? []
      : [{ what: `remove ${place.current}`, run: () => rmSync(place.current) }]),
    ...dropOthers(place, []),
    { what: `remove ${place.home}, if it is empty`, run: () => removeIfEmpty(place.home) },
  ];
}

function ours(path: string): string | undefined {
  try {
    return linkAt(path);
  } catch {
    return undefined; // something else lies there: not ours to take
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
  }
}

export function hasGroup(name: string, file = "/etc/group"): boolean {
  return readFileSync(file, "utf8")
    .split("\n")
    .some((line) => line.startsWith(`${name}:`));
}
