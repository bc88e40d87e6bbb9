/** The systemd units: templates of `packaging/systemd` with the paths of this installation, put in and taken out. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cannotRun } from "../failure.ts";
import { nodeFlags } from "./layout.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "..");
const MAIN = join(ROOT, "apps", "cli", "src", "main.ts");

/** The one for the boot first. */
export const UNITS = ["bulkhead-boot.service", "bulkhead.service"] as const;
export type Unit = (typeof UNITS)[number];

export const templates = join(ROOT, "packaging", "systemd");

export interface Systemd {
  /** Where units of this machine are written. */
  readonly folder: string;
  /** Whether it runs here. */
  readonly runs: () => boolean;
  /** `systemctl`: what it printed; rejects with what it complained of. */
  readonly control: (...args: readonly string[]) => Promise<string>;
}

export const systemd: Systemd = {
  folder: "/etc/systemd/system",
  runs: () => existsSync("/run/systemd/system"),
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

export function unitText(unit: Unit, state: string, node: string = process.execPath): string {
  const template = readFileSync(join(templates, unit), "utf8");
  const command = [node, ...nodeFlags, MAIN].map(argument).join(" ");
  return template
    .split("\n")
    .filter((line) => !line.startsWith("# A template:"))
    .map((line) =>
      line
        .replaceAll("@COMMAND@", () => command)
        .replaceAll("@ROOT@", () => word(ROOT))
        .replaceAll("@STATE@", () => (line.startsWith("ExecStart=") ? argument : word)(state)),
    )
    .join("\n");
}

/** The units that are there already. */
export function installed({ folder }: Systemd): readonly Unit[] {
  return UNITS.filter((unit) => existsSync(join(folder, unit)));
}

export async function enableUnits(on: Systemd, state: string): Promise<void> {
  for (const unit of UNITS) writeFileSync(join(on.folder, unit), unitText(unit, state));
  await on.control("daemon-reload");
  await on.control("enable", ...UNITS);
}

/** Returns those that were there. What runs goes on running. */
export async function disableUnits(on: Systemd): Promise<readonly Unit[]> {
  const there = installed(on);
  if (there.length === 0) return there;
  await on.control("disable", ...there);
  for (const unit of there) rmSync(join(on.folder, unit));
  await on.control("daemon-reload");
  return there;
}
