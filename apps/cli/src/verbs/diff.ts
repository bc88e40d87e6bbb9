/** `bulkhead diff DIR1 DIR2`: what the second folder permits that the first does not, and the other way round. */
import {
  connectivityOf,
  cutWorld,
  DIFFERENCE_FORMATS,
  differenceFormats,
  differencesOf,
  WHOLE_WORLD,
} from "@bulkhead/workbench/desk";
import { badInput } from "../failure.ts";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { warnOfBarred, warnOfReading, warnOfTorn, warnOfUntold } from "../offline/readings.ts";
import { writeLines } from "../offline/write.ts";
import type { Verb } from "./verb.ts";

export const diff: Verb<OfflineOptions> = async (context, args, options) => {
  const [first, second] = args;
  if (first === undefined || second === undefined || args.length > 2) {
    throw badInput("`diff` compares two folders", "bulkhead diff before/ after/");
  }
  if (first === "-" && second === "-") throw badInput("only one of the two can be standard input");
  const exact = options.output === "json";
  const reading = exact ? "node" : "pod";
  const before = await openDeskOf(context, [first], options, reading);
  const after = await openDeskOf(context, [second], options, reading);
  const sides = [before, after].map(({ desk }) => {
    const connectivity = connectivityOf(desk, context.now());
    warnOfReading(context, desk, options);
    warnOfUntold(context, desk);
    warnOfTorn(context, connectivity);
    warnOfBarred(context, connectivity);
    return connectivity;
  });
  const view = exact ? WHOLE_WORLD : cutWorld(after.desk.set);
  const found = differencesOf(sides[0]!, sides[1]!, view);
  const format = DIFFERENCE_FORMATS.find((known) => known === options.output) ?? "txt";
  await writeLines(context.stdout, differenceFormats[format](found));
  const differs = !found[Symbol.iterator]().next().done;
  return before.exitCode(after.exitCode(differs ? 1 : 0));
};
