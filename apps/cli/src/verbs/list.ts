/**
 * `bulkhead list DIR`: every connection that the policies of a folder permit among its workloads and with the outside; without
 * DIR those of what is in force here.
 */
import {
  connectivityOf,
  connectivitySvg,
  cutWorld,
  isMoreThanLines,
  PAIR_FORMATS,
  pairFormats,
  pairsOf,
  WHOLE_WORLD,
  type Pair,
} from "@bulkhead/workbench/desk";
import { openDeskOrHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import {
  warnOfBarred,
  warnOfMore,
  warnOfReading,
  warnOfTorn,
  warnOfUntold,
} from "../offline/readings.ts";
import { writeLines } from "../offline/write.ts";
import { count } from "../ui/words.ts";
import type { Verb } from "./verb.ts";

export const list: Verb<OfflineOptions> = async (context, args, options) => {
  const exact = options.output === "json";
  // What is to be laid beside netpol-analyzer's answer has its reading of what Kubernetes leaves open.
  const { desk, exitCode } = await openDeskOrHere(
    context,
    args,
    options,
    "list manifests/",
    exact ? "node" : "pod",
  );
  const connectivity = connectivityOf(desk, context.now());
  warnOfReading(context, desk, options);
  warnOfUntold(context, desk);
  warnOfTorn(context, connectivity);
  warnOfBarred(context, connectivity);
  if (options.output === "svg") await writeLines(context.stdout, [connectivitySvg(connectivity)]);
  else {
    const format = PAIR_FORMATS.find((known) => known === options.output) ?? "txt";
    const view = exact ? WHOLE_WORLD : cutWorld(desk.set);
    const isMore = !exact && isMoreThanLines(connectivity, view);
    if (isMore) warnOfMore(context);
    let told = 0;
    const counted = function* (): Generator<Pair> {
      for (const pair of pairsOf(connectivity, view)) {
        told += 1;
        yield pair;
      }
    };
    await writeLines(context.stdout, pairFormats[format](counted()));
    // An empty answer looks like a folder that was not read.
    if (told === 0 && !isMore && desk.workloads.size > 0) {
      const who = count(desk.workloads.size, "workload", "workloads");
      context.stderr.write(`no connection is permitted: ${who}, and the world outside\n`);
    }
  }
  return exitCode(0);
};
