/** `bulkhead label`: gives labels to a workload, or takes them back, as a change of policy like any other. */
import type { ApplyAnswer } from "@bulkhead/api";
import { parseConfirm } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { orInterrupted } from "../interruption.ts";
import { resolveName } from "../names.ts";
import { withProgress } from "../progress.ts";
import { shellWord } from "../ui/shell.ts";
import { labelText } from "../views/label.ts";
import { authorOf, changeGoesOn } from "./policies.ts";
import type { Verb } from "./verb.ts";

export interface LabelOptions extends CommonOptions {
  readonly confirm?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly reason?: string;
}

export const label: Verb<LabelOptions> = async (context, [typed = "", ...words], options) => {
  const confirmSeconds = options.confirm === undefined ? undefined : parseConfirm(options.confirm);
  if (options.force === true && (options.reason ?? "") === "") {
    throw badInput("`--force` needs a reason", "add --reason 'why this is safe'");
  }
  const { set, remove } = changesOf(words);
  const dryRun = options.dryRun === true;
  const client = await context.client();
  const { workloads } = await client.call("workloads", {});
  const workload = resolveName(
    typed,
    workloads.map(({ id }) => id),
    { exact: true, labelsOf: (name) => workloads.find(({ id }) => id === name)?.labels },
  );
  const labelling = withProgress(context, "labelling", () =>
    client.call("label", {
      workload,
      set,
      remove: [...remove],
      dryRun,
      force: options.force === true,
      reason: options.reason ?? "",
      author: authorOf(context),
      ...(confirmSeconds === undefined ? {} : { confirmSeconds }),
    }),
  );
  const answer = await orInterrupted(
    context.signal,
    labelling,
    dryRun ? "nothing is changed by a dry run" : changeGoesOn(context),
  );
  const again = `label ${[workload, ...words].map(shellWord).join(" ")}`;
  const back = undoing(set, remove, workloads.find(({ id }) => id === workload)?.labels ?? {});
  return {
    value: answer,
    text: (ui) => labelText({ workload, set, remove, answer }, ui),
    ...nextOf(answer, again, `label ${[workload, ...back].map(shellWord).join(" ")}`),
    exitCode: 0,
  };
};

/** What changed nothing cannot be taken back. */
export function nextOf(
  { dryRun, changed, confirmBy }: Pick<ApplyAnswer, "dryRun" | "changed" | "confirmBy">,
  again: string,
  back: string,
): { readonly next: readonly string[]; readonly nextNote?: string } {
  if (dryRun) return { next: [again] };
  if (!changed) return { next: ["workloads"] };
  if (confirmBy !== undefined) return { next: ["confirm", "rollback"] };
  return { next: [back, "workloads"], nextNote: "the first takes it back" };
}

/** `key=value` sets, `key-` takes back. */
function changesOf(words: readonly string[]): {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
} {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals > 0) set[word.slice(0, equals)] = word.slice(equals + 1);
    else if (word.endsWith("-") && word.length > 1) remove.push(word.slice(0, -1));
    else
      throw badInput(
        `\`${word}\` is neither a label nor one to take back`,
        "write `key=value`, or `key-`",
      );
  }
  const both = remove.find((key) => set[key] !== undefined);
  if (both !== undefined) throw badInput(`\`${both}\` is set and taken back at once`);
  return { set, remove };
}

function undoing(
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
  before: Readonly<Record<string, string>>,
): readonly string[] {
  return [...Object.keys(set), ...remove].map((key) =>
    before[key] === undefined ? `${key}-` : `${key}=${before[key]}`,
  );
}
