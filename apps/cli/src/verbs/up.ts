/** `bulkhead up`: starts controller and agent on this host, waits until they see, and says what they see. */
import { existsSync } from "node:fs";
import type { Answer } from "../answer.ts";
import type { RequestOf, Settings, StatusAnswer, WorkloadView } from "@bulkhead/api";
import { DAY_MS } from "@bulkhead/model";
import { parseDuration } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, cannotRun, Interrupted } from "../failure.ts";
import {
  endAll,
  findProcesses,
  forgetNamespace,
  forgetProcesses,
  guardedNamespace,
  readiness,
  startSupervisor,
  waitForWorkloads,
  waitUntilReady,
  watchForCrashes,
} from "../process/daemon.ts";
import {
  claimStateDirectory,
  layoutOf,
  makeDirectory,
  strangersDirectory,
  type Layout,
} from "../process/layout.ts";
import { lastWords } from "../process/last-words.ts";
import { guardedByAnotherSince } from "../process/other-guard.ts";
import { withLock } from "../process/lock.ts";
import { flowStoreOf, keepFlowStore, type FlowStoreOptions } from "../process/flow-store.ts";
import { keepTelemetry, telemetryOf } from "../process/telemetry.ts";
import { takeDown } from "../process/take-down.ts";
import { networkNamespace } from "../process/marks.ts";
import type { UpAnswer } from "../schemas.ts";
import { isKept, mainPid, systemd } from "../process/units.ts";
import { orInterrupted } from "../interruption.ts";
import { withProgress } from "../progress.ts";
import { nearest } from "../ui/spell.ts";
import { count } from "../ui/words.ts";
import { modeText } from "../views/status.ts";
import { workloadsText } from "../views/workloads.ts";
import type { Verb } from "./verb.ts";

export interface UpOptions extends CommonOptions, FlowStoreOptions {
  readonly foreground?: boolean;
  readonly metrics?: string;
  readonly otlp?: string;
  readonly readConfiguration?: string;
  readonly keepFlows?: string;
  readonly keepHistory?: string;
}

type Source = Settings["readConfiguration"][number];
const SOURCES: readonly Source[] = ["environment", "arguments", "files"];

const PATIENCE_MS = 30_000;
/** sizeof(sockaddr_un.sun_path) less its terminating zero (unix(7)). */
const LONGEST_SOCKET = 107;

export const up: Verb<UpOptions> = async (context, _args, options) => {
  requireRoot("up");
  const telemetry = telemetryOf(options);
  const flowStore = flowStoreOf(options);
  const settings = settingsOf(options);
  if (settings !== undefined && options.foreground === true)
    throw badInput(
      "`--read-configuration`, `--keep-flows` and `--keep-history` are told to what runs in the background",
      "the setting is kept: give it once without `--foreground`",
    );
  const isNew = !existsSync(layoutOf(context.state).root);
  const layout = prepareState(context.state);
  if (keepTelemetry(layout, telemetry) && findProcesses(layout).length > 0)
    context.stderr.write(`Metrics change with the next \`${context.hint("restart")}\`.\n`);
  if (keepFlowStore(layout, flowStore) && findProcesses(layout).length > 0)
    context.stderr.write(`Flows go there with the next \`${context.hint("restart")}\`.\n`);
  if (options.foreground !== true)
    return whenNobodyElse(layout, async () => {
      const answer = await (isNew ? startOrLeaveNothing(context, layout) : start(context, layout));
      if (settings !== undefined) await (await context.client()).call("settings", settings);
      return answer;
    });
  await withLock(layout, async () => {
    const running = await supervisorOf(context, layout);
    if (running !== undefined) {
      throw cannotRun(
        `already running in the background, pid ${running}`,
        "end it first: bulkhead down",
      );
    }
  });
  const { supervise } = await import("../supervisor.ts");
  context.stderr.write(
    "Running in the foreground; Ctrl-C ends it and leaves the kernel's rules in force.\n",
  );
  await supervise(layout.root, (text) => context.stderr.write(`${text}\n`));
  return 0;
};

/** Undefined: as it was. */
function sourcesOf(typed: string | undefined): readonly Source[] | undefined {
  if (typed === undefined) return undefined;
  if (typed === "none") return [];
  return typed.split(",").map((word) => {
    const found = SOURCES.find((one) => one === word.trim());
    if (found !== undefined) return found;
    const near = nearest(word, SOURCES);
    throw badInput(
      `\`${word}\` is nothing that configuration is read from`,
      near === undefined ? `use ${SOURCES.join(",")}, or none` : `did you mean \`${near}\`?`,
    );
  });
}

/** What the controller is to keep in mind; undefined where nothing was said. */
export function settingsOf(options: UpOptions): RequestOf<"settings"> | undefined {
  const sources = sourcesOf(options.readConfiguration);
  const flows = daysOf("--keep-flows", options.keepFlows);
  const history = daysOf("--keep-history", options.keepHistory);
  if (flows !== undefined && history !== undefined && history < flows)
    throw badInput(
      "history would be forgotten before the flows that it is of",
      `give --keep-history at least ${flows}d`,
    );
  const retention = {
    ...(flows === undefined ? {} : { flows }),
    ...(history === undefined ? {} : { history }),
  };
  const settings = {
    ...(sources === undefined ? {} : { readConfiguration: [...sources] }),
    ...(Object.keys(retention).length === 0 ? {} : { retention }),
  };
  return Object.keys(settings).length === 0 ? undefined : settings;
}

function daysOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = /^\d+$/.test(text) ? Number.NaN : parseDuration(text) / DAY_MS;
  if (Number.isInteger(days) && days >= 1 && days <= 36_500) return days;
  throw badInput(`\`${option} ${text}\` is no number of days`, "write it like 30d or 52w");
}

/** Starts the supervisor in the background, unless one runs, and waits until it is whole. */
export async function start(context: Context, layout: Layout): Promise<Answer> {
  const running = await supervisorOf(context, layout);
  if (context.signal.aborted) throw new Interrupted();
  const before = { guarded: guardedNamespace(layout), time: Date.now() };
  const pid = running ?? (await launch(layout));
  const guardedByAnother = (): boolean =>
    running === undefined && guardedByAnotherSince(before.time);
  const reporting = report(context, layout, pid, running !== undefined, guardedByAnother, () => {
    const neverOurs = before.guarded === undefined && guardedByAnother();
    if (neverOurs) forgetNamespace(layout);
  });
  return orInterrupted(
    context.signal,
    reporting,
    `it goes on in the background, pid ${pid}; \`${context.hint("status")}\` tells how it is, \`${context.hint("down")}\` ends it`,
  );
}

/**
 * Under the lock of this state directory. What systemd starts takes it itself, and systemd starts a unit only once; then it is
 * enough that nobody held it before.
 */
export async function whenNobodyElse<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  if (!isKept(systemd, layout.root)) return withLock(layout, work);
  await withLock(layout, async () => undefined);
  return work();
}

/** By systemd where it is to keep them running, so that it also starts again what keeps the others. */
async function launch({ root }: Layout): Promise<number> {
  if (!isKept(systemd, root)) return startSupervisor(root);
  await systemd.control("start", "bulkhead.service");
  return mainPid(systemd);
}

/** What could not be started had nothing to keep; its last words are in the failure. */
async function startOrLeaveNothing(context: Context, layout: Layout): Promise<Answer> {
  try {
    return await start(context, layout);
  } catch (error) {
    if (!(error instanceof Interrupted)) await takeDown(context, layout, true);
    throw error;
  }
}

/** The pid of the supervisor, if one runs; what a killed one left behind is ended. */
async function supervisorOf(context: Context, layout: Layout): Promise<number | undefined> {
  const found = findProcesses(layout);
  const supervisor = found.find((one) => one.name === "supervisor");
  if (supervisor !== undefined) {
    if (supervisor.mark.netns === networkNamespace()) return supervisor.mark.pid;
    throw cannotRun(
      `\`${layout.root}\` already guards another network namespace`,
      "give this one its own state directory with --state",
    );
  }
  if (found.length > 0) {
    // What they left in the kernel stays while new ones take over.
    await withProgress(context, "ending what a killed supervisor left behind", () =>
      endAll(layout),
    );
    forgetProcesses(layout);
  }
  return undefined;
}

async function report(
  context: Context,
  layout: Layout,
  pid: number,
  already: boolean,
  guardedByAnother: () => boolean,
  afterFailure: () => void,
): Promise<Answer> {
  const client = await context.client();
  const started = context.now();
  const ready = await withProgress(context, already ? "asking" : "starting", () =>
    waitUntilReady(client, PATIENCE_MS, watchForCrashes(layout, pid, guardedByAnother)),
  );
  if (ready.missing !== undefined || ready.status === undefined) {
    // A start that failed leaves nothing behind; what ran before is left to its supervisor.
    if (!already) {
      if (isKept(systemd, layout.root)) await systemd.control("stop", "bulkhead.service");
      await endAll(layout);
      forgetProcesses(layout);
      afterFailure();
    }
    throw cannotRun(`not ready: ${ready.missing ?? "no status"}`, helpFrom(layout));
  }
  const workloads = await waitForWorkloads(client);
  const shown = workloads.filter(({ idle }) => idle !== true);
  const status = (await readiness(client)).status ?? ready.status;
  const warnings = ready.warnings.map((warning) => `! ${warning}\n`).join("");
  const value: UpAnswer = {
    state: layout.root,
    pid,
    already,
    tookMs: context.now() - started,
    warnings: [...ready.warnings],
    status,
    workloads,
  };
  return {
    value,
    text: (ui: Context["ui"]) =>
      `${already ? "Already running" : ui.style.green("Running")}, pid ${pid}, state in ${layout.root}.\n${ui.style.yellow(warnings)}${foundText(status, workloads)}\n${workloadsText({ workloads: shown }, ui, workloads.length - shown.length)}`,
    next:
      status.mode !== undefined
        ? ["status"]
        : workloads.some((workload) => Object.keys(workload.labels).length === 0)
          ? ["workloads --inventory > inventory.yaml", "observe --follow"]
          : ["observe --follow"],
    exitCode: 0,
  };
}

/** Until a supervisor that somebody else has started is whole. */
export async function waitFor(context: Context, layout: Layout, pid: number): Promise<void> {
  const client = await context.client();
  const ready = await withProgress(context, "starting", () =>
    waitUntilReady(
      client,
      PATIENCE_MS,
      watchForCrashes(layout, pid, () => false),
    ),
  );
  if (ready.missing !== undefined) throw cannotRun(`not ready: ${ready.missing}`, helpFrom(layout));
}

/** What a supervisor of systemd says is in the journal. */
function helpFrom(layout: Layout): string {
  const more = isKept(systemd, layout.root)
    ? "\njournalctl --unit bulkhead.service tells more"
    : "";
  return `the last words of the logs:\n${lastWords(layout)}${more}`;
}

function foundText(status: StatusAnswer, workloads: readonly WorkloadView[]): string {
  const here = workloads.filter((workload) => workload.attached).length;
  const policy =
    status.mode === undefined
      ? "No policy is applied: everything is observed, nothing is denied."
      : `Revision ${status.revision} is in force: ${modeText(status)}.`;
  return `Found ${count(here, "workload")} on this machine. ${policy}\n`;
}

export function requireRoot(verb: string): void {
  if (process.platform !== "linux") {
    throw cannotRun(`\`${verb}\` needs Linux`, "verbs that only read files run anywhere");
  }
  if (process.getuid?.() !== 0) throw cannotRun(`\`${verb}\` needs root`, `sudo bulkhead ${verb}`);
}

export function prepareState(state: string): Layout {
  const layout = layoutOf(state);
  if (Buffer.byteLength(layout.apiSocket) > LONGEST_SOCKET - 2) {
    throw badInput(
      `the path of \`${layout.root}\` is too long for sockets`,
      "choose a shorter --state",
    );
  }
  try {
    makeDirectory(layout.root);
  } catch (error) {
    throw cannotRun(
      `cannot make \`${layout.root}\`: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const strangers = strangersDirectory(layout.root);
  if (strangers !== undefined) {
    throw badInput(
      `\`${layout.root}\` is not safe: somebody else may replace \`${strangers}\` or what is in it`,
      "name a directory that only root can write to with --state",
    );
  }
  if (!claimStateDirectory(layout.root)) {
    throw badInput(
      `\`${layout.root}\` holds what is not Bulkhead's`,
      "name an empty or new directory with --state",
    );
  }
  return layout;
}
