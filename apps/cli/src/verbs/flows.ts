/** `bulkhead flows`: what is on record as a whole. `import` brings in what other tools recorded; `formats` lists what is read. */
import { FORMAT_READERS } from "@bulkhead/sources";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { importFile } from "../flows/import.ts";
import { withProgress } from "../progress.ts";
import type { FlowsImportAnswer } from "../schemas.ts";
import { nearest } from "../ui/spell.ts";
import { formatsText, importText } from "../views/flows-import.ts";
import type { Verb } from "./verb.ts";

export const FLOW_TASKS = ["import", "formats"] as const;

export const flows: Verb<CommonOptions> = async (context, [typed = "", ...words]) => {
  const task = FLOW_TASKS.find((one) => one === typed);
  switch (task) {
    case "import":
      return importAll(context, words);
    case "formats":
      return formats();
    case undefined: {
      const near = nearest(typed, FLOW_TASKS);
      throw badInput(
        `\`${typed}\` is not something to do with flows`,
        near === undefined ? `use ${FLOW_TASKS.join(", ")}` : `did you mean \`${near}\`?`,
      );
    }
  }
};

function formats(): Answer {
  const value = FORMAT_READERS.map(({ name, title }) => ({ name, title }));
  return { value, text: (ui) => formatsText(value, ui), next: [], exitCode: 0 };
}

async function importAll(context: Context, words: readonly string[]): Promise<Answer> {
  const named = FORMAT_READERS.some(({ name }) => name === words[0]);
  const [format, files] = named ? [words[0], words.slice(1)] : [undefined, words];
  if (files.length === 0) {
    throw badInput(
      "no file is named",
      "bulkhead flows import FILE… (- is standard input), with its format before it where its beginning does not tell",
    );
  }
  const client = await context.client();
  const done: FlowsImportAnswer["files"] = [];
  for (const file of files) {
    const one = await withProgress(context, `importing ${file}`, (progress) =>
      importFile(context, client, file, format, progress),
    );
    done.push(one);
  }
  const value: FlowsImportAnswer = { files: done };
  const isNothing = done.every((one) => one.flows === 0 && one.malformed.count > 0);
  return {
    value,
    text: (ui) => importText(value, ui),
    next: done.some((one) => one.flows > 0) ? ["observe --edges", "suggest -f policy.yaml"] : [],
    exitCode: isNothing ? 2 : 0,
  };
}
