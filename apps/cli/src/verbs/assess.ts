/** `bulkhead assess`: where to start, and what it would be worth; of a folder, or of this machine. */
import type { AssessAnswer } from "@bulkhead/api";
import { assessAtDesk, type Assessment } from "@bulkhead/workbench/assess";
import { workTreeOf } from "../git.ts";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { withProgress } from "../progress.ts";
import { assessMarkdown, assessText } from "../views/assess.ts";
import type { Context } from "../context.ts";
import type { ExitCode } from "../failure.ts";
import type { Verb } from "./verb.ts";

export const assess: Verb<OfflineOptions> = async (context, paths, options) => {
  const { value, exitCode } = await assessed(context, paths, options);
  const markdown = options.output === "md";
  return {
    value,
    text: (ui) =>
      markdown ? assessMarkdown(value, context.hint) : assessText(value, ui, context.hint),
    next: markdown ? [] : [value.first[0]?.command ?? "status"],
    exitCode,
  };
};

async function assessed(
  context: Context,
  paths: readonly string[],
  options: OfflineOptions,
): Promise<{ readonly value: Assessment | AssessAnswer; readonly exitCode: ExitCode }> {
  if (paths.length > 0) {
    const { desk, exitCode } = await openDeskOf(context, paths, options);
    const versioned = paths.every((path) => path !== "-" && workTreeOf(path) !== undefined);
    return { value: assessAtDesk(desk, context.now(), versioned), exitCode: exitCode(0) };
  }
  const client = await context.client();
  const value = await withProgress(context, "weighing", () => client.call("assess", {}));
  return { value, exitCode: 0 };
}
