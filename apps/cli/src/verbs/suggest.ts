/** `bulkhead suggest`: the least policy for what was seen. Without `-f` it is the policy text itself, ready for a pipe. */
import type { SuggestAnswer } from "@bulkhead/api";
import { parseSpan } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { save, targetOf } from "../save.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "./verb.ts";

export interface SuggestOptions extends CommonOptions {
  readonly file?: string;
  readonly overwrite?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: readonly string[];
}

export const suggest: Verb<SuggestOptions> = async (context, _args, options) => {
  const { file } = options;
  const target =
    file === undefined || file === "-"
      ? undefined
      : await targetOf(file, options.overwrite === true);
  const client = await context.client();
  const now = context.now();
  const answer = await withProgress(context, "studying what was seen", () =>
    client.call("suggest", {
      ...parseSpan(options, now),
      ...(options.namespace === undefined ? {} : { namespaces: [...options.namespace] }),
    }),
  );
  const text = textOf(answer);
  // A file without a rule would only be in the way of the next suggestion.
  if (target !== undefined && answer.rules.length > 0) await save(target, text);
  const { INVENTORY_NEXT, suggestText } = await import("../views/suggest.ts");
  const next = nextOf(answer, file, INVENTORY_NEXT);
  const listed = options.output === "table" || context.format === "wide";
  if ((file === undefined || file === "-") && !listed) {
    return {
      value: answer,
      text: () => `${text}# next: ${context.hint(next)}\n`,
      next: [],
      exitCode: 0,
    };
  }
  return {
    value: answer,
    text: (ui) => suggestText(answer, file === "-" ? undefined : file, ui),
    next: [next],
    exitCode: 0,
  };
};

function nextOf(answer: SuggestAnswer, file: string | undefined, inventory: string): string {
  if ((answer.unlabelled ?? []).length > 0) return inventory;
  if (answer.rules.length === 0) return "observe --follow";
  return file === undefined || file === "-" ? "suggest -f policy.yaml" : `replay ${file}`;
}

function textOf(answer: SuggestAnswer): string {
  return answer.files.map((file) => file.text).join("---\n");
}
