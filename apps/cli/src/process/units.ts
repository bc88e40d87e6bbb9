/** The systemd units: templates of `packaging/systemd` with the paths of this installation, put in and taken out. */
import { execFile } from "node:child_process";
import {
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cannotRun } from "../failure.ts";
import { nodeFlags } from "./layout.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");
const MAIN = join("apps", "cli", "src", "main.ts");

/** The folder of an installation and its Node, by paths that an upgrade leaves as they are. */
export interface Where {
  readonly root: string;
  readonly node: string;
}

/** `bulkhead install` keeps versions side by side, with a link `current` to the one in use: units name the link. */
export function whereIs(root: string, node: string): Where {
  const current = join(dirname(root), "current");
  if (!existsSync(current) || realpathSync(current) !== realpathSync(root)) return { root, node };
  const inside = node.startsWith(`${root}/`);
  return { root: current, node: inside ? current + node.slice(root.length) : node };
}

/** The Node that runs this, by the link that packaged units name where it leads there. */
function ownNode(): string {
  const link = join(ROOT, "node_modules", ".bin", "node");
  return existsSync(link) && realpathSync(link) === process.execPath ? link : process.execPath;
}

export const HERE = whereIs(ROOT, ownNode());

/** The one for the boot first. */
export const UNITS = ["bulkhead-boot.service", "bulkhead.service"] as const;
export type Unit = (typeof UNITS)[number];

export const templates = join(ROOT, "packaging", "systemd");

export interface Systemd {
  /** Where units of this machine are written. */
  readonly folder: string;
  /** Where packages of the distribution bring theirs. */
  readonly packaged: string;
  /** Whether it runs here. */
  readonly runs: () => boolean;
  /** Whether what it starts is in this process's network namespace. Only root can tell. */
  readonly isHere: () => boolean;
  /** `systemctl`: what it printed; rejects with what it complained of. */
  readonly control: (...args: readonly string[]) => Promise<string>;
}

export const systemd: Systemd = {
  folder: "/etc/systemd/system",
  packaged: "/usr/lib/systemd/system",
  runs: () => existsSync("/run/systemd/system"),
  isHere: () => readlinkSync("/proc/1/ns/net") === readlinkSync("/proc/self/ns/net"),
  control: (...args) =>
    new Promise((resolve, reject) => {
      execFile("systemctl", args, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(cannotRun(`systemctl ${args.join(" ")}: ${stderr.trim() || error.message}`));
      });
    }),
};

/** One word of a unit's setting: quoted, with nothing in it left for systemd to expand (systemd.unit(5), systemd.syntax(7)). */
const word = (text: string): string => {
  const literal = text.replaceAll("%", "%%").replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return /[\s"'\\;]/.test(literal) ? `"${literal}"` : literal;
};

/** In a command, `$` would name a variable as well. */
const argument = (text: string): string => word(text).replaceAll("$", "$$$$");

export function unitText(unit: Unit, state: string, { root, node }: Where = HERE): string {
  const template = readFileSync(join(templates, unit), "utf8");
  const command = [node, ...nodeFlags, join(root, MAIN)].map(argument).join(" ");
  return template
    .split("\n")
    .filter((line) => !line.startsWith("# A template:"))
    .map((line) =>
      line
        .replaceAll("@COMMAND@", () => command)
        .replaceAll("@ROOT@", () => word(root))
        .replaceAll("@STATE@", () => (line.startsWith("ExecStart=") ? argument : word)(state)),
    )
    .join("\n");
}

/** The folder of links by which systemd knows that a unit is wanted at boot; named in its `[Install]`. */
const WANTED: Readonly<Record<Unit, string>> = {
  "bulkhead-boot.service": "sysinit.target.wants",
  "bulkhead.service": "multi-user.target.wants",
};

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** The units that this machine's administrator put in, or enabled where a package brought them. */
export function installed({ folder }: Systemd): readonly Unit[] {
  return UNITS.filter(
    (unit) => exists(join(folder, unit)) || exists(join(folder, WANTED[unit], unit)),
  );
}

const SERVICE = "bulkhead.service";

/** Whether systemd keeps the programs of this state directory running, or would once they are started. */
export function isKept(on: Systemd, state: string): boolean {
  // What is started in another network namespace is not for it to keep.
  if (!on.runs() || !installed(on).includes(SERVICE) || !on.isHere()) return false;
  const text = [on.folder, on.packaged]
    .map((folder) => join(folder, SERVICE))
    .flatMap((path) => (existsSync(path) ? [readFileSync(path, "utf8")] : []))[0];
  return text?.split("\n").some((line) => line.endsWith(` --state ${argument(state)}`)) ?? false;
}

/** 0 where it runs nothing. */
export const mainPid = async (on: Systemd): Promise<number> =>
  Number(await on.control("show", "--property=MainPID", "--value", SERVICE));

/** It runs, or is about to be started again. */
export async function isActive(on: Systemd): Promise<boolean> {
  const state = await on.control("show", "--property=ActiveState", "--value", SERVICE);
  return ["active", "activating", "reloading"].includes(state.trim());
}

/** A unit that a package brought is used as it is, if it says the same; one of ours is written above it otherwise. */
export function writeUnits(on: Systemd, state: string, where: Where = HERE): void {
  for (const unit of UNITS) {
    const text = unitText(unit, state, where);
    const brought = join(on.packaged, unit);
    if (existsSync(brought) && readFileSync(brought, "utf8") === text)
      rmSync(join(on.folder, unit), { force: true });
    else writeFileSync(join(on.folder, unit), text);
  }
}

/** What this machine's administrator has in place of them now, to be put back. */
export function keepUnits({ folder }: Systemd): () => void {
  const kept = UNITS.map((unit) => {
    const path = join(folder, unit);
    return { path, text: existsSync(path) ? readFileSync(path, "utf8") : undefined };
  });
  return () => {
    for (const { path, text } of kept) {
      if (text === undefined) rmSync(path, { force: true });
      else writeFileSync(path, text);
    }
  };
}

export async function enableUnits(on: Systemd, state: string): Promise<void> {
  writeUnits(on, state);
  await on.control("daemon-reload");
  await on.control("enable", ...UNITS);
}

/** Returns those that were there. What runs goes on running. */
export async function disableUnits(on: Systemd): Promise<readonly Unit[]> {
  const there = installed(on);
  if (there.length === 0) return there;
  // The one for the boot runs nothing; it counts as active, or failed, from the boot on, also when it is no more.
  await on.control("stop", "bulkhead-boot.service");
  await on.control("reset-failed", "bulkhead*.service");
  await on.control("disable", ...there);
  for (const unit of there) rmSync(join(on.folder, unit), { force: true });
  await on.control("daemon-reload");
  return there;
}
