/**
 * Lines of cron on this machine: crontab(5) in /etc, in cron.d, of users, and the folders that run-parts goes through. Times,
 * users and places are told; of a command nothing is, since commands hold secrets.
 */
import { accessSync, constants, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { FoundSchedule } from "@bulkhead/wire";
import { whileItIsThere } from "../discovery/index.ts";

export interface Crontabs {
  readonly schedules: readonly FoundSchedule[];
  /** Lines that cannot be read, in sentences. */
  readonly problems: readonly string[];
}

export interface CrontabOptions {
  /** Default: the machine's own. */
  readonly root?: string;
  readonly daemon?: CronDaemon;
}

/** Who runs them. */
export interface CronDaemon {
  readonly runs: boolean;
  /** Its unit, where units are told apart. */
  readonly unit?: string;
}

interface Line {
  readonly number: number;
  readonly expression: string;
  readonly timeZone?: string;
  /** For finding which folder it goes through; never told. */
  readonly command: string;
}

const LARGEST = 256 * 1024;
const MOST_FILES = 500;
const MOST_LINES = 2000;
/** Of one file: whoever has a crontab must not push others' jobs out of sight. */
const MOST_OF_ONE = 200;
const MOST_PROBLEMS = 100;
/** run-parts(8), and cron(8) of Debian for cron.d: names that hold others are left out. */
const PLAIN_NAME = /^[A-Za-z0-9_-]+$/;
const FOLDERS = ["hourly", "daily", "weekly", "monthly"] as const;
const SPOOLS = ["/var/spool/cron/crontabs", "/var/spool/cron"];
const ANACRON = "/usr/sbin/anacron";

export function readCrontabs({ root = "/", daemon }: CrontabOptions = {}): Crontabs {
  const schedules: FoundSchedule[] = [];
  const problems: string[] = [];
  const unit = {
    ...(daemon?.runs === false ? { suspended: true as const } : {}),
    ...(daemon?.unit === undefined ? {} : { unit: daemon.unit }),
  };
  const folders = new Map<string, Line>();
  const readTable = (path: string, hasUser: boolean): void => {
    const found = readFile(join(root, path));
    if (found === undefined) return;
    const lines = linesIn(found.text, hasUser, (number, why) =>
      problems.push(`${path} line ${number}: ${why}`),
    );
    if (lines.length > MOST_OF_ONE)
      problems.unshift(`${path}: of ${lines.length} lines only ${MOST_OF_ONE} are waited for`);
    for (const line of lines.slice(0, MOST_OF_ONE)) {
      const parts = /\/etc\/cron\.(hourly|daily|weekly|monthly)\b/.exec(line.command)?.[1];
      if (parts !== undefined) {
        folders.set(parts, line);
        continue;
      }
      schedules.push({
        name: `cron ${path} line ${line.number}`,
        kind: "cron",
        expression: line.expression,
        ...(line.timeZone === undefined ? {} : { timeZone: line.timeZone }),
        since: found.since,
        ...unit,
      });
    }
  };
  readTable("/etc/crontab", true);
  for (const name of filesIn(join(root, "/etc/cron.d"))) {
    if (PLAIN_NAME.test(name)) readTable(`/etc/cron.d/${name}`, true);
  }
  const anacron = isThere(join(root, ANACRON));
  for (const folder of FOLDERS) {
    const line = folders.get(folder);
    // Where anacron is, cron's own line leaves all but the hourly ones to it, and it runs them when the machine is up.
    const late = anacron && folder !== "hourly";
    const ranAt = late ? mtimeOf(join(root, `/var/spool/anacron/cron.${folder}`)) : undefined;
    for (const name of filesIn(join(root, `/etc/cron.${folder}`))) {
      const path = `/etc/cron.${folder}/${name}`;
      const since = mtimeOf(join(root, path));
      if (!PLAIN_NAME.test(name) || since === undefined || !isThere(join(root, path))) continue;
      if (line === undefined && !late) continue;
      schedules.push({
        name: `cron ${path}`,
        kind: "cron",
        expression: late ? `@${folder}` : (line?.expression ?? `@${folder}`),
        ...(late || line?.timeZone === undefined ? {} : { timeZone: line.timeZone }),
        ...(ranAt === undefined ? {} : { lastRun: ranAt }),
        since,
        ...(late ? {} : unit),
      });
    }
  }
  // Users' own come last: what there is no room for is theirs.
  for (const spool of SPOOLS) {
    for (const name of filesIn(join(root, spool))) readTable(`${spool}/${name}`, false);
  }
  return { schedules: schedules.slice(0, MOST_LINES), problems: problems.slice(0, MOST_PROBLEMS) };
}

/** Five fields, or a word for them, then a user in the machine's own tables, then the command. */
export function linesIn(
  text: string,
  hasUser: boolean,
  onProblem: (line: number, why: string) => void,
): readonly Line[] {
  const lines: Line[] = [];
  let timeZone: string | undefined;
  for (const [at, line] of text.split("\n").entries()) {
    const number = at + 1;
    const written = line.trim();
    if (written === "" || written.startsWith("#")) continue;
    const [, key, value = ""] = /^([A-Za-z_]\w*)\s*=\s*(.*)$/.exec(written) ?? [];
    if (key !== undefined) {
      // Of other settings (MAILTO, and whatever jobs are given) nothing is read.
      if (key === "CRON_TZ") timeZone = /^["']?([\w/+-]{1,64})["']?$/.exec(value)?.[1];
      continue;
    }
    const words = written.split(/\s+/);
    const count = written.startsWith("@") ? 1 : 5;
    const times = words.slice(0, count);
    const command = words.slice(count + (hasUser ? 1 : 0)).join(" ");
    if (command === "") {
      onProblem(
        number,
        hasUser ? "it has no times, user and command" : "it has no times and command",
      );
      continue;
    }
    const strange = times.find((word) => !/^(?:@[a-z]+|[\w*,/~-]{1,64})$/i.test(word));
    if (strange !== undefined) {
      // What stands there may be a part of a command: it is not quoted.
      onProblem(number, "its times cannot be read");
      continue;
    }
    lines.push({
      number,
      expression: times.join(" "),
      command,
      ...(timeZone === undefined ? {} : { timeZone }),
    });
  }
  return lines;
}

/** `since`: no line of it is older than the file as it is. */
function readFile(path: string): { readonly text: string; readonly since: number } | undefined {
  return whileItIsThere(() => {
    // cron follows no links of users' either.
    const found = lstatSync(path);
    if (!found.isFile() || found.size > LARGEST) return undefined;
    return { text: readFileSync(path, "utf8"), since: Math.floor(found.mtimeMs) };
  });
}

function filesIn(folder: string): readonly string[] {
  const names = whileItIsThere(() =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => basename(entry.name)),
  );
  return (names ?? []).toSorted().slice(0, MOST_FILES);
}

const mtimeOf = (path: string): number | undefined =>
  whileItIsThere(() => Math.floor(statSync(path).mtimeMs));

const isThere = (path: string): boolean =>
  whileItIsThere(() => {
    accessSync(path, constants.X_OK);
    return true;
  }) ?? false;
