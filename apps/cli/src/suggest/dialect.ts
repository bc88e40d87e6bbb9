/** `suggest --to`: the suggestion in another dialect's words, or why not. What is refused is not written, not even in part. */
import type { SuggestAnswer } from "@bulkhead/api";
import type { Approximation, Target } from "@bulkhead/dialects";
import { hasErrors } from "@bulkhead/model";
import { SUGGESTION_FILE, type ExportInput } from "@bulkhead/workbench";
import { suggestionIn, type FileInForce } from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { tellProblems } from "../offline/open.ts";
import { approximationNamed, targetNamed } from "../offline/target.ts";
import { conversionLines, conversionText } from "../views/convert.ts";

export interface Dialect {
  readonly target: Target;
  readonly approximation?: Approximation;
}

/** Undefined for our own: that is what a suggestion is written in. */
export function dialectNamed(name: string, approximate: string | undefined): Dialect | undefined {
  const target = targetNamed(name);
  const approximation = approximationNamed(approximate);
  if (target.name === "bulkhead") return undefined;
  return { target, ...(approximation === undefined ? {} : { approximation }) };
}

/** Who is there, and what is in force there. */
export interface Surroundings {
  readonly everybody: ExportInput;
  readonly inForce: readonly FileInForce[];
}

/** Tells what could not be said and what was proved. Undefined: nothing is to be written. */
export function writtenIn(
  context: Context,
  answer: SuggestAnswer,
  { everybody, inForce }: Surroundings,
  { target, approximation }: Dialect,
): SuggestAnswer | undefined {
  const { stderr, format, ui } = context;
  const { conversion, written } = suggestionIn(answer, everybody, target, {
    now: context.now(),
    inForce,
    ...(approximation === undefined ? {} : { approximation }),
  });
  tellProblems(context, conversion.desk);
  if (written === undefined && hasErrors(conversion.desk.diagnostics))
    throw badInput("not all of it could be read: nothing was written");
  stderr.write(
    format === "json"
      ? conversionLines(conversion)
      : conversionText(conversion, target, SUGGESTION_FILE, false, ui),
  );
  if (written === undefined) return undefined;
  return {
    ...answer,
    files: [{ name: SUGGESTION_FILE, text: written.text }],
    perApplication: [...written.perApplication],
  };
}
