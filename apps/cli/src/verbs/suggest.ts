/** `bulkhead suggest`: the least policy for what was seen. Without `-f` it is the policy text itself, ready for a pipe. */
import { writeFile } from "node:fs/promises";
import type { SuggestAnswer } from "@bulkhead/api";
import { parseMoment } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { cannotRun } from "../failure.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "./verb.ts";

export interface SuggestOptions extends CommonOptions {
  readonly file?: string;
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: readonly string[];
}

export const suggest: Verb<SuggestOptions> = async (context, _args, options) => {
  const client = await context.client();
  const now = context.now();
  const answer = await withProgress(context, "studying what was seen", () =>
    client.call("suggest", {
      ...(options.since === undefined ? {} : { since: parseMoment(options.since, now) }),
      ...(options.until === undefined ? {} : { until: parseMoment(options.until, now) }),
      ...(options.namespace === undefined ? {} : { namespaces: [...options.namespace] }),
    }),
  );
  const text = textOf(answer);
  const { file } = options;
  if (file !== undefined && file !== "-") await save(file, text);
  if (file === undefined || file === "-") {
    const hint = file === undefined ? "# next: bulkhead suggest -f policy.yaml\n" : "";
    const listed = options.output === "table" || context.format === "wide";
    if (!listed) return { value: answer, text: () => `${text}${hint}`, next: [], exitCode: 0 };
  }
  const { suggestText } = await import("../views/suggest.ts");
  return {
    value: answer,
    text: (ui) => suggestText(answer, file === "-" ? undefined : file, ui),
    next:
      answer.rules.length === 0
        ? ["observe --follow"]
        : file === undefined
          ? ["suggest -f policy.yaml"]
          : [`replay ${file}`],
    exitCode: 0,
  };
};

function textOf(answer: SuggestAnswer): string {
  return answer.files.map((file) => file.text).join("---\n");
}

async function save(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw cannotRun(
      `cannot write \`${file}\`: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
