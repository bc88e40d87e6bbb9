/**
 * `bulkhead boot`: what happens when the machine starts. `enable` and `disable` put systemd's units in and take them out;
 * `restore` is what the first of them runs: the last policy in force, before there is a network.
 */
import type { CommonOptions, Context } from "../context.ts";
import type { Answer } from "../answer.ts";
import { badInput, cannotRun } from "../failure.ts";
import { isStateDirectory, layoutOf } from "../process/layout.ts";
import { markOf, writeMark } from "../process/marks.ts";
import { runAgent } from "../process/run-agent.ts";
import { disableUnits, enableUnits, systemd, UNITS, type Systemd } from "../process/units.ts";
import type { BootAnswer } from "../schemas.ts";
import { nearest } from "../ui/spell.ts";
import { list } from "../ui/words.ts";
import { prepareState, requireRoot } from "./up.ts";
import type { Verb } from "./verb.ts";

const TASKS = ["enable", "disable", "restore"] as const;

export const boot: Verb<CommonOptions> = async (context, [typed = ""]) =>
  bootOn(context, typed, systemd);

/** `on` stands for the systemd of this machine. */
export async function bootOn(context: Context, typed: string, on: Systemd): Promise<Answer> {
  const task = TASKS.find((one) => one === typed);
  if (task === undefined) {
    const near = nearest(typed, TASKS);
    throw badInput(
      `\`${typed}\` is not something to do about boots`,
      near === undefined ? `use ${TASKS.join(", ")}` : `did you mean \`${near}\`?`,
    );
  }
  requireRoot(`boot ${task}`);
  switch (task) {
    case "restore":
      return restore(context);
    case "enable":
      requireSystemd(on);
      return enable(context, on);
    case "disable":
      requireSystemd(on);
      return disable(context, on);
  }
}

function requireSystemd(on: Systemd): void {
  if (on.runs()) return;
  throw cannotRun(
    "systemd does not run here, so there is nothing to enable or disable",
    "have your init run `bulkhead boot restore` before the network comes up, and `bulkhead up --foreground` later",
  );
}

async function enable(context: Context, on: Systemd): Promise<Answer> {
  const { root } = prepareState(context.state);
  await enableUnits(on, root);
  const value: BootAnswer = { state: root, task: "enable", units: [...UNITS] };
  return {
    value,
    text: () =>
      `From the next boot on, the last policy is in force before the network comes up, and controller and agent start by themselves.\nNothing was started now. Units: ${list(UNITS)}.\n`,
    next: ["up", "doctor"],
    exitCode: 0,
  };
}

async function disable(context: Context, on: Systemd): Promise<Answer> {
  const units = await disableUnits(on);
  const value: BootAnswer = {
    state: layoutOf(context.state).root,
    task: "disable",
    units: [...units],
  };
  return {
    value,
    text: () =>
      units.length === 0
        ? "Nothing of ours was to start at boot.\n"
        : `After a restart of this machine nothing is enforced until \`bulkhead up\`. What runs now goes on. Removed: ${list(units)}.\n`,
    next: ["status"],
    exitCode: 0,
  };
}

async function restore(context: Context): Promise<Answer> {
  const layout = layoutOf(context.state);
  if (!isStateDirectory(layout.root)) {
    const message = `nothing to restore: \`${layout.root}\` is no state directory of Bulkhead`;
    return restored({ state: layout.root, task: "restore", outcome: "nothing", message }, 0);
  }
  // `down` finds the rules again by this, also when nothing of ours was started since.
  const own = markOf(process.pid);
  if (own !== undefined) writeMark(layout.guarded, own);
  const { code, answer, words } = await runAgent(layout.root, "--restore", "restore");
  if (answer === undefined)
    throw cannotRun(`nothing was restored: the agent ended with ${code}`, words.join("\n"));
  const outcome = String(answer["restore"]);
  const message = String(answer["message"]);
  return restored({ state: layout.root, task: "restore", outcome, message }, code === 0 ? 0 : 3);
}

const restored = (value: BootAnswer, exitCode: 0 | 3): Answer => ({
  value,
  text: () => `${value.message}\n`,
  // Nobody sits before it.
  next: [],
  exitCode,
});
