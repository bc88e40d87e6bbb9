/** `bulkhead exposure DIR`: what could reach, and be reached by, workloads that are not in the folder, or not here. */
import {
  cutWorld,
  EXPOSURE_FORMATS,
  exposureFormats,
  exposuresOf,
  WHOLE_WORLD,
} from "@bulkhead/workbench/desk";
import { openDeskOrHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { warnOfMore, warnOfReading, warnOfUntold } from "../offline/readings.ts";
import { writeLines } from "../offline/write.ts";
import type { Verb } from "./verb.ts";

export const exposure: Verb<OfflineOptions> = async (context, args, options) => {
  const exact = options.output === "json";
  const { desk, exitCode } = await openDeskOrHere(
    context,
    args,
    options,
    "exposure manifests/",
    exact ? "node" : "pod",
  );
  warnOfReading(context, desk, options);
  warnOfUntold(context, desk);
  const found = exposuresOf(desk, context.now(), exact ? WHOLE_WORLD : cutWorld(desk.set));
  const format = EXPOSURE_FORMATS.find((known) => known === options.output) ?? "txt";
  if (!exact && found.isMoreThanLines) warnOfMore(context);
  await writeLines(context.stdout, [exposureFormats[format](found)]);
  return exitCode(0);
};
