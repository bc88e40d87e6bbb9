/**
 * `bulkhead lint DIR`: findings about the policies of a folder, or without DIR of those in force here, each with its place, and 1 as soon as one is an error. With `--fix`
 * what can be written plainer is, if every decision stays as it is; the findings are then those of the files as they became.
 */
import { openDesk } from "@bulkhead/workbench/desk";
import { fixFiles, lintDesk, unifiedDiff, type FixedFile } from "@bulkhead/workbench/lint";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { exitCodeOf, lintOptions, type FindingOptions } from "../offline/findings.ts";
import { parseLimits } from "../offline/limits.ts";
import { readingOf } from "../offline/open.ts";
import { save } from "../save.ts";
import { count } from "../ui/words.ts";
import { findingsFormat, type FindingsAnswer } from "../views/findings/formats.ts";
import type { Verb } from "./verb.ts";

export interface LintVerbOptions extends FindingOptions {
  readonly fix?: boolean;
  readonly dryRun?: boolean;
}

export const lint: Verb<LintVerbOptions> = async (context, args, options) => {
  const disabled = lintOptions(options);
  if (options.dryRun === true && options.fix !== true) {
    throw badInput("`--dry-run` goes with `--fix`");
  }
  if (options.fix === true && args.includes("-") && options.dryRun !== true) {
    throw badInput("standard input cannot be fixed", "add --dry-run to see what would change");
  }
  const isHere = args.length === 0;
  if (isHere && options.fix === true) {
    throw badInput("what is in force cannot be fixed in place", "bulkhead lint policies/ --fix");
  }
  const { files: read, ...held } = isHere
    ? await here(context, options)
    : { files: await readPolicyFiles(context, args, parseLimits(options.limit ?? []).input) };
  const reading = { ...readingOf(context, options), ...held };
  const fixed = options.fix === true ? fixFiles(read, reading) : [];
  if (options.dryRun === true) {
    context.stdout.write(fixed.map(unifiedDiff).join(""));
    return 0;
  }
  await write(context, fixed);
  const after = new Map(fixed.map((file) => [file.name, file.text]));
  const files = read.map(({ name, text }) => ({ name, text: after.get(name) ?? text }));
  const desk = openDesk(files, reading);
  const findings = lintDesk(desk, { now: context.now(), ...disabled });
  const answer: FindingsAnswer = { findings };
  return {
    value: answer,
    text: (ui) => findingsFormat(options.output)({ findings, files }, ui),
    next: [],
    exitCode: exitCodeOf(desk, findings),
  };
};

async function here(context: Context, options: LintVerbOptions) {
  const { readInForce } = await import("../offline/in-force.ts");
  const { files, reading } = await readInForce(context, options, "lint policies/", true);
  return { files, ...reading };
}

async function write({ stderr }: Context, fixed: readonly FixedFile[]): Promise<void> {
  for (const { name, text, edits } of fixed) {
    await save({ file: name, flag: "w" }, text);
    const times = Map.groupBy(edits, ({ what }) => what);
    const whats = [...times].map(([what, same]) =>
      same.length > 1 ? `${what} (${same.length} times)` : what,
    );
    stderr.write(`${name}: ${count(edits.length, "fix", "fixes")}: ${whats.join(", ")}\n`);
  }
}
