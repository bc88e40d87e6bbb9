/**
 * What is known to be coming on this machine although it was not seen: its timers, its crontabs, and, where somebody allowed
 * it, whom its workloads are configured to call. Looked at once a minute; told when it is another than before.
 */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { promisify } from "node:util";
import type {
  ConfigurationSource,
  DiscoveredEndpoint,
  ExpectedHere,
  FoundSchedule,
  UnitFacts,
} from "@bulkhead/wire";
import { whileItIsThere } from "../discovery/index.ts";
import { pidsByNetns, type ConfiguredOwner } from "./configuration.ts";
import { createConfigurationReader } from "./configuration-reader.ts";
import { readCrontabs, type CronDaemon } from "./crontabs.ts";
import { readTimers, type Run } from "./systemd-timers.ts";

export interface ExpectationScout {
  /** As last looked at. */
  latest(): ExpectedHere;
  /** What of configuration may be read from now on; it is looked at once more. */
  allow(sources: readonly ConfigurationSource[]): void;
  /** Looks now; resolves when what was found can be had. */
  look(): Promise<void>;
  stop(): void;
}

export interface ExpectationOptions {
  readonly facts: () => readonly UnitFacts[];
  readonly endpoints: () => readonly Pick<DiscoveredEndpoint, "interface" | "netnsPath">[];
  readonly changed: () => void;
  readonly onProblem: (problem: string) => void;
  readonly everyMs?: number;
  /** Null: there is no systemd. */
  readonly run?: Run | null;
  /** Where crontabs lie. */
  readonly root?: string;
  readonly proc?: string;
}

const EVERY_MS = 60_000;
const COMMAND_MS = 10_000;
/** sd_booted(3). */
const SYSTEMD = "/run/systemd/system";
const CRON_UNITS = /\/(?:cron|crond|cronie|fcron)\.service$/;
const CRON_NAMES = /^(?:cron|crond|fcron)$/;

const runHere: Run = async (command, args) => {
  const { stdout } = await promisify(execFile)(command, args, {
    timeout: COMMAND_MS,
    maxBuffer: 1 << 22,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
  });
  return stdout;
};

export function createExpectationScout(options: ExpectationOptions): ExpectationScout {
  const { facts, endpoints, changed, onProblem, root = "/", proc = "/proc" } = options;
  const run = options.run === undefined ? (existsSync(SYSTEMD) ? runHere : null) : options.run;
  const reader = createConfigurationReader({ proc });
  let allowed: readonly ConfigurationSource[] = [];
  let latest: ExpectedHere = {
    timeZone: zoneHere(),
    schedules: [],
    dependencies: [],
    problems: [],
  };
  let text = JSON.stringify(latest);
  let looking: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  async function lookOnce(): Promise<void> {
    const units = facts();
    const problems: string[] = [];
    const timers = await timersHere(problems);
    const cron = readCrontabs({ root, daemon: daemonAmong(units) });
    const configured = await reader.read(allowed.length === 0 ? [] : ownersOf(units), allowed);
    const found: ExpectedHere = {
      timeZone: zoneHere(),
      schedules: [...timers, ...cron.schedules],
      dependencies: configured.dependencies,
      problems: [...problems, ...cron.problems, ...configured.problems],
    };
    const foundText = JSON.stringify(found);
    if (foundText === text || stopped) return;
    text = foundText;
    latest = found;
    changed();
  }

  async function timersHere(problems: string[]): Promise<readonly FoundSchedule[]> {
    if (run === null) return [];
    try {
      return await readTimers(run);
    } catch (error) {
      const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
      problems.push(`timers of systemd are not seen: ${why}`);
      return [];
    }
  }

  function ownersOf(units: readonly UnitFacts[]): readonly ConfiguredOwner[] {
    const attached = endpoints().flatMap(({ interface: name, netnsPath }) => {
      const netns = whileItIsThere(() => readlinkSync(netnsPath)) ?? netnsOf(netnsPath);
      return netns === undefined ? [] : [{ name, netns }];
    });
    const pids = pidsByNetns(new Set(attached.map(({ netns }) => netns)), everybody(proc), proc);
    return [
      ...units.map(({ cgroup, processes }): ConfiguredOwner => ({
        owner: { kind: "unit", cgroup },
        pids: processes.map(({ pid }) => pid).filter((pid) => pid !== process.pid),
      })),
      ...attached.map(({ name, netns }): ConfiguredOwner => ({
        owner: { kind: "endpoint", interface: name },
        pids: pids.get(netns) ?? [],
      })),
    ];
  }

  function look(): Promise<void> {
    again = looking !== undefined;
    looking ??= lookOnce()
      .catch((error: unknown) =>
        onProblem(`what is to come could not be looked at: ${String(error)}`),
      )
      .finally(() => {
        looking = undefined;
        if (again && !stopped) void look();
      });
    return looking;
  }

  const timer = setInterval(() => void look(), options.everyMs ?? EVERY_MS);
  timer.unref();
  return {
    latest: () => latest,
    allow(sources) {
      if (sources.join() === allowed.join()) return;
      allowed = sources;
      void look();
    },
    look,
    stop() {
      stopped = true;
      clearInterval(timer);
      reader.stop();
    },
  };
}

/** `net:[4026531840]`, as links in /proc say it; of a name under /run/netns it is the number of the file. */
function netnsOf(path: string): string | undefined {
  const found = whileItIsThere(() => statSync(path));
  return found === undefined ? undefined : `net:[${found.ino}]`;
}

const everybody = (proc: string): readonly number[] =>
  readdirSync(proc).flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

function daemonAmong(units: readonly UnitFacts[]): CronDaemon {
  const unit = units.find(
    ({ cgroup, processes }) =>
      CRON_UNITS.test(cgroup) || processes.some(({ name }) => CRON_NAMES.test(name)),
  );
  if (unit !== undefined) {
    const name = unit.cgroup.split("/").at(-1) ?? "";
    return { runs: true, ...(name.endsWith(".service") ? { unit: name } : {}) };
  }
  // Where units are not told apart, a daemon may run all the same.
  return { runs: units.length === 0 };
}

/** The machine's zone; in what this process was started with it may be another. */
function zoneHere(): string {
  const link = whileItIsThere(() => readlinkSync("/etc/localtime")) ?? "";
  const zone = /zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(link)?.[1];
  const written = whileItIsThere(() => readFileSync("/etc/timezone", "utf8"))?.trim();
  return zone ?? (written || "UTC");
}
