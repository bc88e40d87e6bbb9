/** `bulkhead lint DIR`: findings about the policies of a folder, each with its place, and 1 as soon as one is an error. */
import { openDesk } from "@bulkhead/workbench/desk";
import { lintDesk } from "@bulkhead/workbench/lint";
import { findingsFormat, type FindingsAnswer } from "../views/findings/formats.ts";
import { readPolicyFiles } from "../input.ts";
import { exitCodeOf, lintOptions, type FindingOptions } from "../offline/findings.ts";
import { parseLimits } from "../offline/limits.ts";
import { readingOf } from "../offline/open.ts";
import type { Verb } from "./verb.ts";

export const lint: Verb<FindingOptions> = async (context, args, options) => {
  const files = await readPolicyFiles(context, args, parseLimits(options.limit ?? []).input);
  const desk = openDesk(files, readingOf(context, options));
  const findings = lintDesk(desk, { now: context.now(), ...lintOptions(options) });
  const answer: FindingsAnswer = { findings };
  return {
    value: answer,
    text: (ui) => findingsFormat(options.output)({ findings, files }, ui),
    next: [],
    exitCode: exitCodeOf(desk, findings),
  };
};
