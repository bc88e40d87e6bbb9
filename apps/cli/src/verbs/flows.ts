/** `bulkhead flows`: what is on record as a whole. `import` brings in what other tools recorded, `export` writes it to a file; `formats` lists what is read. */
import { FORMAT_READERS } from "@bulkhead/sources";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { flowFilter } from "../flow-filter.ts";
import type { FlowOptions } from "../flow-options.ts";
import { pathLikeness } from "../input.ts";
import { exportFormat, exportTo } from "../flows/export.ts";
import { importFile } from "../flows/import.ts";
import { withProgress } from "../progress.ts";
import type { FlowsImportAnswer } from "../schemas.ts";
import { nearest } from "../ui/spell.ts";
import { exportText, formatsText, importText } from "../views/flows-import.ts";
import type { Verb } from "./verb.ts";

export const FLOW_TASKS = ["import", "export", "formats"] as const;

export interface FlowsOptions extends CommonOptions, FlowOptions {
  readonly edges?: boolean;
  readonly as?: string;
  readonly overwrite?: boolean;
}

export const flows: Verb<FlowsOptions> = async (context, [typed = "", ...words], options) => {
  const task = FLOW_TASKS.find((one) => one === typed);
  if (task !== undefined && task !== "export") refuseChoice(task, options);
  switch (task) {
    case "export":
      return exportOne(context, words, options);
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

/** Nothing is chosen among what comes in: an option that is not heeded must not look as if it were. */
function refuseChoice(task: string, options: FlowsOptions): void {
  const given = Object.keys(options).find((name) => name !== "output" && name !== "state");
  if (given === undefined) return;
  const option = given.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw badInput(`\`flows ${task}\` takes no \`--${option}\``, "`flows export` does");
}

async function exportOne(
  context: Context,
  words: readonly string[],
  options: FlowsOptions,
): Promise<Answer | ExitCode> {
  const [file] = words;
  if (file === undefined || words.length > 1) {
    throw badInput(
      file === undefined ? "no file is named" : "more than one file is named",
      "bulkhead flows export FILE.parquet (or FILE.jsonl; - is standard output)",
    );
  }
  const format = exportFormat(file, options.as);
  const filter = await flowFilter(context, options);
  const client = await context.client();
  const what = options.edges === true ? "edges" : "flows";
  const overwrite = options.overwrite === true;
  const value = await withProgress(context, `exporting ${what}`, (progress) =>
    exportTo(context, client, { file, format, what, filter, overwrite }, progress),
  );
  // The lines themselves are the answer.
  if (file === "-") return 0;
  return { value, text: () => exportText(value), next: [], exitCode: 0 };
}

function formats(): Answer {
  const value = FORMAT_READERS.map(({ name, title }) => ({ name, title }));
  return { value, text: (ui) => formatsText(value, ui), next: [], exitCode: 0 };
}

/** A format's name with a slip in it would be looked for as a file. */
async function refuseMisspelt([first = "", ...others]: readonly string[]): Promise<void> {
  if (others.length === 0 || (await pathLikeness(first)) !== "name") return;
  const near = nearest(
    first,
    FORMAT_READERS.map(({ name }) => name),
  );
  if (near === undefined) return;
  throw badInput(
    `\`${first}\` is neither a file nor a format of flows`,
    `did you mean \`${near}\`?`,
  );
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
  if (!named) await refuseMisspelt(files);
  const client = await context.client();
  const { store } = (await client.call("status", {})).flows;
  const done: FlowsImportAnswer["files"] = [];
  for (const file of files) {
    const one = await withProgress(context, `importing ${file}`, (progress) =>
      importFile(context, client, file, format, progress, store),
    );
    done.push(one);
  }
  const value: FlowsImportAnswer = { files: done };
  const isNothing = done.every((one) => one.flows === 0 && one.malformed.count > 0);
  // A script that imports must not take half a file for the whole.
  const isBroken = done.some((one) => one.broken !== undefined);
  return {
    value,
    text: (ui) => importText(value, ui),
    next: done.some((one) => one.flows > 0) ? ["observe --edges", "suggest -f policy.yaml"] : [],
    exitCode: isNothing || isBroken ? 2 : 0,
  };
}
