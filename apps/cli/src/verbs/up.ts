/** `bulkhead up`: starts controller and agent on this host, waits until they see, and says what they see. */
import type { StatusAnswer, WorkloadView } from "@bulkhead/api";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, cannotRun } from "../failure.ts";
import {
  endAll,
  findProcesses,
  forgetProcesses,
  lastWords,
  readiness,
  startSupervisor,
  waitUntilReady,
} from "../process/daemon.ts";
import { claimStateDirectory, layoutOf, makeDirectory, type Layout } from "../process/layout.ts";
import { networkNamespace, startTimeOf } from "../process/marks.ts";
import { withProgress } from "../progress.ts";
import { count } from "../ui/words.ts";
import { workloadsText } from "../views/workloads.ts";
import type { Verb } from "./verb.ts";

export interface UpOptions extends CommonOptions {
  readonly foreground?: boolean;
}

const PATIENCE_MS = 30_000;
/** sizeof(sockaddr_un.sun_path) less its terminating zero (unix(7)). */
const LONGEST_SOCKET = 107;

export const up: Verb<UpOptions> = async (context, _args, options) => {
  requireRoot("up");
  const layout = prepareState(context.state);
  const found = findProcesses(layout);
  const supervisor = found.find((one) => one.name === "supervisor");
  if (supervisor !== undefined) {
    if (supervisor.mark.netns !== networkNamespace()) {
      throw cannotRun(
        `\`${layout.root}\` already guards another network namespace`,
        "give this one its own state directory with --state",
      );
    }
    if (options.foreground === true) {
      throw cannotRun(
        `already running in the background, pid ${supervisor.mark.pid}`,
        "end it first: bulkhead down",
      );
    }
    return report(context, layout, supervisor.mark.pid, true);
  }
  if (found.length > 0) {
    // Their supervisor was killed: what they left in the kernel stays while new ones take over.
    await withProgress(context, "ending what a killed supervisor left behind", () =>
      endAll(layout),
    );
    forgetProcesses(layout);
  }
  if (options.foreground === true) {
    const { supervise } = await import("../supervisor.ts");
    context.stderr.write(
      "Running in the foreground; Ctrl-C ends it and leaves the kernel's rules in force.\n",
    );
    await supervise(layout.root, (text) => context.stderr.write(`${text}\n`));
    return 0;
  }
  return report(context, layout, startSupervisor(layout.root), false);
};

async function report(context: Context, layout: Layout, pid: number, already: boolean) {
  const client = await context.client();
  const started = context.now();
  const ready = await withProgress(context, already ? "asking" : "starting", () =>
    waitUntilReady(client, PATIENCE_MS, () => startTimeOf(pid) !== undefined),
  );
  if (ready.missing !== undefined || ready.status === undefined) {
    // A start that failed leaves nothing behind; what ran before is left to its supervisor.
    if (!already) {
      await endAll(layout);
      forgetProcesses(layout);
    }
    throw cannotRun(
      `not ready: ${ready.missing ?? "no status"}`,
      `the last words of the logs:\n${lastWords(layout)}`,
    );
  }
  const { workloads } = await client.call("workloads", {});
  const status = (await readiness(client)).status ?? ready.status;
  const value = {
    state: layout.root,
    pid,
    already,
    tookMs: context.now() - started,
    status,
    workloads,
  };
  return {
    value,
    text: (ui: Context["ui"]) =>
      `${already ? "Already running" : ui.style.green("Running")}, pid ${pid}, state in ${layout.root}.\n${foundText(status, workloads)}\n${workloadsText({ workloads }, ui)}`,
    next: status.mode === undefined ? ["observe --follow"] : ["status"],
    exitCode: 0 as const,
  };
}

function foundText(status: StatusAnswer, workloads: readonly WorkloadView[]): string {
  const here = workloads.filter((workload) => workload.attached).length;
  const policy =
    status.mode === undefined
      ? "No policy is applied: everything is observed, nothing is denied."
      : `Revision ${status.revision} is in force, mode ${status.mode}.`;
  return `Found ${count(here, "workload")} on this machine. ${policy}\n`;
}

export function requireRoot(verb: string): void {
  if (process.platform !== "linux") {
    throw cannotRun(`\`${verb}\` needs Linux`, "verbs that only read files run anywhere");
  }
  if (process.getuid?.() !== 0) throw cannotRun(`\`${verb}\` needs root`, `sudo bulkhead ${verb}`);
}

function prepareState(state: string): Layout {
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
  if (!claimStateDirectory(layout.root)) {
    throw badInput(
      `\`${layout.root}\` holds what is not Bulkhead's`,
      "name an empty or new directory with --state",
    );
  }
  return layout;
}
