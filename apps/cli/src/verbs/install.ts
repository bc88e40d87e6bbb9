/**
 * `bulkhead install`, `upgrade` and `uninstall`: the version that is called from an unpacked tarball is put below
 * /opt/bulkhead and into use, takes over from the one before while the kernel enforces, or is taken out again. Each
 * happens whole or not at all, and `--dry-run` tells the steps first.
 */
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { cannotRun } from "../failure.ts";
import { placeIn, versionInUse, versionOf, type Place } from "../install/place.ts";
import { copyIn, dropOthers, hasGroup, linkUp, switchTo, takeOut } from "../install/put.ts";
import { runSteps, type Step } from "../install/steps.ts";
import { findProcesses, guardedNamespace } from "../process/daemon.ts";
import { layoutOf, nodeFlags } from "../process/layout.ts";
import { disableUnits, installed, keepUnits, systemd, writeUnits } from "../process/units.ts";
import type { InstallAnswer } from "../schemas.ts";
import { keeperOf } from "./restart.ts";
import { requireRoot } from "./up.ts";
import type { Verb } from "./verb.ts";

export interface InstallOptions extends CommonOptions {
  readonly root?: string;
  readonly dryRun?: boolean;
}

const GROUP = "bulkhead";
const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");
const run = promisify(execFile);

export const install: Verb<InstallOptions> = async (context, _args, options) => {
  const place = placeFor("install", options);
  const version = payloadVersion();
  const there = versionInUse(place);
  if (there !== undefined)
    throw cannotRun(`version ${there} is installed already`, "to replace it: bulkhead upgrade");
  const steps = [
    ...copied(place, version),
    switchTo(place, version),
    ...linkUp(place),
    ...groupFor(place),
  ];
  return carryOut("install", { version, before: undefined, steps, options, context }, [
    "Nothing was started, and nothing is enforced.",
  ]);
};

export const upgrade: Verb<InstallOptions> = async (context, _args, options) => {
  const place = placeFor("upgrade", options);
  const version = payloadVersion();
  const before = versionInUse(place);
  if (before === undefined)
    throw cannotRun("no version is installed", "to put this one in: bulkhead install");
  if (before === version) {
    const value: InstallAnswer = { task: "upgrade", version, before, steps: [], done: false };
    const text = (): string => `Version ${version} is installed and in use already.\n`;
    return { value, text, next: ["status"], exitCode: 0 };
  }
  const steps = [
    ...copied(place, version),
    ...(await takeOver(context, place, version)),
    ...linkUp(place),
    ...dropOthers(place, [before, version]),
  ];
  return carryOut("upgrade", { version, before, steps, options, context }, [
    "The kernel enforced all the while.",
  ]);
};

export const uninstall: Verb<InstallOptions> = async (context, _args, options) => {
  const place = placeFor("uninstall", options);
  const before = versionInUse(place);
  const layout = layoutOf(context.state);
  // To open the machine unasked, or to leave it locked with nobody to unlock it, would both be wrong: root decides first.
  if (!place.staged && (findProcesses(layout).length > 0 || guardedNamespace(layout) !== undefined))
    throw cannotRun(
      "it runs here, or the kernel holds its rules: without it, nobody could change them",
      `decide first: sudo ${context.hint("down")}   (takes the rules out; all traffic then passes unjudged)`,
    );
  const units = place.staged ? [] : installed(systemd);
  const steps: readonly Step[] = [
    ...(units.length > 0 && systemd.runs()
      ? [
          {
            what: `take ${units.join(" and ")} out`,
            run: async () => void (await disableUnits(systemd)),
          },
        ]
      : []),
    ...takeOut(place),
    // Policies and flows that stay are the group's to read.
    ...(place.staged || existsSync(layout.root) || !hasGroup(GROUP)
      ? []
      : [
          {
            what: `remove the system group ${GROUP}`,
            run: async () => void (await run("groupdel", [GROUP])),
          },
        ]),
  ];
  // What prints the answer is loaded while it is still there.
  await import("yaml");
  return carryOut(
    "uninstall",
    { version: undefined, before, steps: before === undefined ? [] : steps, options, context },
    existsSync(layout.root) && !place.staged
      ? [`Policies, flows and keys stay in ${layout.root}.`]
      : [],
  );
};

function placeFor(verb: string, options: InstallOptions): Place {
  requireRoot(verb);
  return placeIn(options.root === undefined ? undefined : resolve(options.root));
}

/** Only an unpacked tarball has everything; a source tree lacks the manual, and a Debian package is dpkg's to handle. */
function payloadVersion(): string {
  const version = versionOf(ROOT);
  if (version !== undefined && existsSync(join(ROOT, "share", "man"))) return version;
  throw cannotRun(
    `\`${ROOT}\` is no unpacked tarball of Bulkhead`,
    "from the sources, `make package` makes one; what apt or dpkg installed, they upgrade and remove",
  );
}

/** Called from where it would be put, as for going back to the version before, it is there already. */
const copied = (place: Place, version: string): readonly Step[] =>
  existsSync(place.folderOf(version)) &&
  realpathSync(place.folderOf(version)) === realpathSync(ROOT)
    ? []
    : [copyIn(ROOT, place, version)];

function groupFor(place: Place): readonly Step[] {
  // A staged installation has no users yet; whoever makes a machine of it makes the group.
  if (place.staged || hasGroup(GROUP)) return [];
  return [
    {
      what: `make the system group ${GROUP}, whose members may read`,
      run: async () => void (await run("groupadd", ["--system", GROUP])),
      undo: async () => {
        if (hasGroup(GROUP)) await run("groupdel", [GROUP]);
      },
    },
  ];
}

/** Switches, and has what runs taken over; when the new version does not come up, the old one is back, and runs. */
async function takeOver(context: Context, place: Place, version: string): Promise<readonly Step[]> {
  const change = switchTo(place, version);
  const layout = layoutOf(context.state);
  // What runs on this machine is no business of a folder that will become another.
  const keeper = place.staged ? "nothing" : await keeperOf(layout, systemd);
  const running = keeper === "systemd" || keeper === "background";
  let asked = false;
  const bulkhead = async (verb: string): Promise<void> => {
    const main = join(place.current, "apps", "cli", "src", "main.ts");
    const node = join(place.current, "node_modules", ".bin", "node");
    await run(node, [...nodeFlags, main, verb, "--state", layout.root]).catch((error: unknown) => {
      const { stderr } = error as { readonly stderr?: string };
      throw new Error(stderr?.trim() || String(error), { cause: error });
    });
  };
  const steps: Step[] = [
    {
      ...change,
      async undo() {
        await change.undo?.();
        if (!asked) return;
        if (keeper === "systemd") await systemd.control("restart", "bulkhead.service");
        else await bulkhead("up");
      },
    },
  ];
  if (!place.staged && installed(systemd).length > 0 && systemd.runs()) {
    const putBack = keepUnits(systemd);
    steps.push({
      what: "write the units anew",
      async run() {
        // Not with the paths of what is called here: that is an unpacked tarball, which does not stay.
        const node = join(place.current, "node_modules", ".bin", "node");
        writeUnits(systemd, layout.root, { root: place.current, node });
        await systemd.control("daemon-reload");
      },
      async undo() {
        putBack();
        await systemd.control("daemon-reload");
      },
    });
  }
  if (running)
    steps.push({
      what: `restart controller and agent of ${layout.root}, while the kernel enforces`,
      async run() {
        asked = true;
        await bulkhead("restart");
      },
    });
  if (keeper === "elsewhere")
    context.stderr.write(
      "What runs in the foreground goes on in the old version until it is started anew.\n",
    );
  return steps;
}

interface Plan {
  readonly version: string | undefined;
  readonly before: string | undefined;
  readonly steps: readonly Step[];
  readonly options: InstallOptions;
  readonly context: Context;
}

async function carryOut(
  task: InstallAnswer["task"],
  { version, before, steps, options }: Plan,
  after: readonly string[],
): Promise<Answer> {
  const done = options.dryRun !== true && steps.length > 0;
  const value: InstallAnswer = {
    task,
    version,
    before,
    steps: steps.map(({ what }) => what),
    done,
  };
  if (done) await runSteps(steps);
  const listed = value.steps.map((step) => `  ${step}\n`).join("");
  const words = { install: "Installed", upgrade: "Upgraded", uninstall: "Uninstalled" }[task];
  const text = (): string => {
    if (value.steps.length === 0) return "Nothing of ours is installed there.\n";
    if (!done) return `It would\n${listed}`;
    const what = version === undefined ? "" : ` ${version}`;
    const from = before === undefined || version === undefined ? "" : `, ${before} before`;
    return `${words}${what}${from}:\n${listed}${after.map((line) => `${line}\n`).join("")}`;
  };
  const next = { install: ["doctor", "up"], upgrade: ["status"], uninstall: [] }[task];
  return { value, text, next: done ? next : [], exitCode: 0 };
}
