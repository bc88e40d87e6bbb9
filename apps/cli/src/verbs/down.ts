/** `bulkhead down`: ends controller and agent, takes our rules out of the kernel, and with `--purge` the data too. */
import { lstatSync } from "node:fs";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { CliFailure, badInput } from "../failure.ts";
import { isStateDirectory, layoutOf, type Layout } from "../process/layout.ts";
import { takeDown } from "../process/take-down.ts";
import { installed, systemd } from "../process/units.ts";
import { withLock } from "../process/lock.ts";
import type { DownAnswer } from "../schemas.ts";
import { list } from "../ui/words.ts";
import { requireRoot } from "./up.ts";
import type { Verb } from "./verb.ts";

export interface DownOptions extends CommonOptions {
  readonly purge?: boolean;
  readonly yes?: boolean;
}

export const down: Verb<DownOptions> = async (context, _args, options) => {
  requireRoot("down");
  const layout = layoutOf(context.state);
  const known = lstatSync(layout.root, { throwIfNoEntry: false });
  if (known === undefined) {
    return done({ state: layout.root, ended: [], kernel: "nothing", purged: false, foreign: [] });
  }
  if (!isStateDirectory(layout.root)) {
    throw badInput(
      `\`${layout.root}\` is no state directory of Bulkhead`,
      "name the one `bulkhead up` was given with --state",
    );
  }
  if (options.purge === true) await askBeforePurge(context, layout, options);
  // Half a removal helps nobody: it goes on to its end, and says so.
  const told = (): unknown =>
    context.stderr.write("Almost done: this goes on to its end; Ctrl-C again stops it here.\n");
  context.signal.addEventListener("abort", told, { once: true });
  try {
    return await withLock(layout, () => end(context, layout, options.purge === true));
  } finally {
    context.signal.removeEventListener("abort", told);
  }
};

async function end(context: Context, layout: Layout, purged: boolean): Promise<Answer> {
  const { ended, kernel, foreign } = await takeDown(context, layout, purged);
  return done({ state: layout.root, ended: [...ended], kernel, purged, foreign: [...foreign] });
}

function done(value: DownAnswer): Answer {
  const ended = value.ended.length === 0 ? "Nothing was running." : `Ended ${list(value.ended)}.`;
  const kernel = {
    removed: " The kernel holds none of our rules any more; all traffic passes unjudged.",
    nothing: "",
    "namespace gone": " The network namespace has gone, and our rules with it.",
  }[value.kernel];
  const data = value.purged
    ? value.foreign.length === 0
      ? ` ${value.state} is removed.`
      : ` Our data are removed; ${value.state} stays, for it holds what is not ours: ${list(value.foreign)}.`
    : value.ended.length > 0 || value.kernel === "removed"
      ? ` Data stay in ${value.state}.`
      : "";
  const again =
    installed(systemd).length > 0
      ? "\nAt the next boot it comes back; `bulkhead boot disable` ends that."
      : "";
  return { value, text: () => `${ended}${kernel}${data}${again}\n`, next: ["up"], exitCode: 0 };
}

async function askBeforePurge(
  context: Context,
  layout: Layout,
  options: DownOptions,
): Promise<void> {
  if (options.yes === true) return;
  if (context.stdin.isTTY !== true || context.stdout.isTTY !== true) {
    throw badInput(
      `\`--purge\` removes all recorded flows, policies and keys in \`${layout.root}\`, and there is no terminal to ask on`,
      "add --yes",
    );
  }
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({
    message: `Remove all recorded flows, policies and keys in ${layout.root}?`,
    initialValue: false,
  });
  if (isCancel(answer) || !answer) throw new CliFailure(2, "nothing was done");
}
