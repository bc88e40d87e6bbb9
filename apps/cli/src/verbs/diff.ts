/**
 * `bulkhead diff DIR1 DIR2`: what the second folder permits that the first does not, and the other way round. Of one folder: what
 * it would permit otherwise than what is in force here, if it were all that is.
 */
import {
  connectivityOf,
  cutWorld,
  DIFFERENCE_FORMATS,
  differenceFormats,
  differencesBeyondLines,
  differencesOf,
  isTellable,
  WHOLE_WORLD,
  type Connectivity,
  type Desk,
  type Difference,
  type DifferenceFormat,
} from "@bulkhead/workbench/desk";
import { badInput } from "../failure.ts";
import { openDeskOf, openDeskOrHere, openDeskOverHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { warnOfBarred, warnOfReading, warnOfTorn, warnOfUntold } from "../offline/readings.ts";
import { writeLines } from "../offline/write.ts";
import { count } from "../ui/words.ts";
import type { Verb } from "./verb.ts";

export const diff: Verb<OfflineOptions> = async (context, args, options) => {
  const [first, second] = args;
  if (first === undefined || args.length > 2) {
    throw badInput(
      "`diff` compares two folders, or one with what is in force",
      "bulkhead diff before/ after/",
    );
  }
  if (first === "-" && second === "-") throw badInput("only one of the two can be standard input");
  const exact = options.output === "json";
  const reading = exact ? "node" : "pod";
  const typed = "diff before/ after/";
  const [before, after] =
    second === undefined
      ? [
          await openDeskOrHere(context, [], options, typed),
          await openDeskOverHere(context, first, options, typed),
        ]
      : [
          await openDeskOf(context, [first], options, reading),
          await openDeskOf(context, [second], options, reading),
        ];
  const sides = [before, after].map(({ desk }) => {
    const connectivity = connectivityOf(desk, context.now());
    warnOfReading(context, desk, options);
    warnOfUntold(context, desk);
    warnOfTorn(context, connectivity);
    warnOfBarred(context, connectivity);
    return connectivity;
  });
  const format = DIFFERENCE_FORMATS.find((known) => known === options.output) ?? "txt";
  const { told, untold } = differencesIn(format, sides[0]!, sides[1]!, after.desk);
  await writeLines(context.stdout, differenceFormats[format](told));
  if (untold > 0) {
    context.stderr.write(
      `${context.ui.style.yellow("warning:")} ${count(untold, "more difference")} that these lines cannot tell (IPv6, other protocols, nodes): \`-o json\` tells all\n`,
    );
  }
  const differs = untold > 0 || !told[Symbol.iterator]().next().done;
  return before.exitCode(after.exitCode(differs ? 1 : 0));
};

/** A program that reads netpol-analyzer's lines must know every word; a table has room for what that tool does not see. */
function differencesIn(
  format: DifferenceFormat,
  before: Connectivity,
  after: Connectivity,
  { set }: Desk,
): { readonly told: Iterable<Difference>; readonly untold: number } {
  if (format === "json") return { told: differencesOf(before, after, WHOLE_WORLD), untold: 0 };
  const lines = differencesOf(before, after, cutWorld(set));
  const beyond = differencesBeyondLines(before, after);
  const isTold = (one: Difference): boolean =>
    format === "csv" || format === "md" || isTellable(one);
  let untold = 0;
  for (const one of beyond) if (!isTold(one)) untold++;
  const told = {
    *[Symbol.iterator]() {
      yield* lines;
      for (const one of beyond) if (isTold(one)) yield one;
    },
  };
  return { told, untold };
}
