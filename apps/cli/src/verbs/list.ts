/** `bulkhead list DIR`: every connection that the policies of a folder permit among its workloads and with the outside. */
import {
  connectivityOf,
  connectivitySvg,
  cutWorld,
  PAIR_FORMATS,
  pairFormats,
  pairsOf,
  WHOLE_WORLD,
  type Connectivity,
} from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { warnOfReading } from "../offline/readings.ts";
import { writeLines } from "../offline/write.ts";
import { list as listed } from "../ui/words.ts";
import type { Verb } from "./verb.ts";

export const list: Verb<OfflineOptions> = async (context, args, options) => {
  const exact = options.output === "json";
  // What is to be laid beside netpol-analyzer's answer has its reading of what Kubernetes leaves open.
  const { desk, exitCode } = await openDeskOf(context, args, options, exact ? "node" : "pod");
  const connectivity = connectivityOf(desk, context.now());
  warnOfReading(context, desk, options);
  warnOfTorn(context, connectivity);
  if (options.output === "svg") context.stdout.write(connectivitySvg(connectivity));
  else {
    const format = PAIR_FORMATS.find((known) => known === options.output) ?? "txt";
    const view = exact ? WHOLE_WORLD : cutWorld(desk.set);
    writeLines(context.stdout, pairFormats[format](pairsOf(connectivity, view)));
  }
  return exitCode(0);
};

/** One line stands for pods that policies tell apart. */
export function warnOfTorn(context: Context, { torn }: Connectivity): void {
  if (torn.length === 0) return;
  const { style } = context.ui;
  context.stderr.write(
    `${style.yellow("warning:")} policies tell pods of one owner apart by their labels: lines of ${listed(torn, 3)} hold for some of its pods\n`,
  );
}
