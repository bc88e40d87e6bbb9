/**
 * `bulkhead restart`: ends controller and agent and starts them anew, by whoever started them, in the version that is
 * installed now. What the kernel holds is in force all the while.
 */
import { readFileSync } from "node:fs";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { cannotRun } from "../failure.ts";
import { endAll, findProcesses, forgetProcesses } from "../process/daemon.ts";
import { layoutOf, type Layout } from "../process/layout.ts";
import { withLock } from "../process/lock.ts";
import { networkNamespace } from "../process/marks.ts";
import { isActive, isKept, mainPid, systemd, type Systemd } from "../process/units.ts";
import { withProgress } from "../progress.ts";
import type { RestartAnswer } from "../schemas.ts";
import { list } from "../ui/words.ts";
import { requireRoot, start, waitFor, whenNobodyElse } from "./up.ts";
import type { Verb } from "./verb.ts";

const UNIT = "bulkhead.service";

/** `nothing`: none runs. `elsewhere`: in the foreground of something that is not ours to command. */
export type Keeper = "nothing" | "systemd" | "background" | "elsewhere";

export async function keeperOf(layout: Layout, on: Systemd): Promise<Keeper> {
  const found = findProcesses(layout);
  const supervisor = found.find(({ name }) => name === "supervisor");
  if (supervisor === undefined) {
    // What was killed, systemd starts again in a moment; what a killed one in the background left behind goes on.
    if (isKept(on, layout.root) && (await isActive(on))) return "systemd";
    return found.length > 0 ? "background" : "nothing";
  }
  const { pid } = supervisor.mark;
  if (on.runs() && (await mainPid(on)) === pid) return "systemd";
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("supervisor.ts")
    ? "background"
    : "elsewhere";
}

export const restart: Verb<CommonOptions> = async (context) => {
  requireRoot("restart");
  const layout = layoutOf(context.state);
  const keeper = await keeperOf(layout, systemd);
  const found = findProcesses(layout);
  const elsewhere = found.find(({ mark }) => mark.netns !== networkNamespace());
  if (elsewhere !== undefined)
    throw cannotRun(
      `\`${layout.root}\` guards another network namespace`,
      "call it there: nsenter --net=… bulkhead restart",
    );
  switch (keeper) {
    case "nothing":
      return done({ state: layout.root, keeper, pid: undefined }, "Nothing was running.", "up");
    case "elsewhere":
      throw cannotRun(
        "it runs in the foreground of something else than systemd",
        "start it anew by what started it; the kernel goes on enforcing meanwhile",
      );
    case "systemd": {
      await systemd.control("restart", UNIT);
      const pid = await mainPid(systemd);
      await waitFor(context, layout, pid);
      return done({ state: layout.root, keeper, pid }, restarted(pid), "status");
    }
    case "background": {
      const pid = await anew(context, layout);
      return done({ state: layout.root, keeper, pid }, restarted(pid), "status");
    }
  }
};

const restarted = (pid: number): string =>
  `Started anew, pid ${pid}. The kernel enforced all the while.`;

async function anew(context: Context, layout: Layout): Promise<number> {
  await withLock(layout, async () => {
    const left = await withProgress(context, "ending", () => endAll(layout));
    if (left.length > 0)
      throw cannotRun(
        `could not end ${list(left.map((one) => `${one.name} (pid ${one.mark.pid})`))}`,
      );
    forgetProcesses(layout);
  });
  await whenNobodyElse(layout, () => start(context, layout));
  const supervisor = findProcesses(layout).find(({ name }) => name === "supervisor");
  if (supervisor === undefined) throw cannotRun("the supervisor ended");
  return supervisor.mark.pid;
}

const done = (value: RestartAnswer, text: string, next: string): Answer => ({
  value,
  text: () => `${text}\n`,
  next: [next],
  exitCode: 0,
});
