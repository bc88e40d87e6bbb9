/** `bulkhead blast DIR WORKLOAD`: what an intruder there reaches, as a number and a list. */
import { blastAt } from "@bulkhead/workbench/desk";
import { parseWhole } from "../arguments.ts";
import { badInput } from "../failure.ts";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { orFailure } from "../offline/requests.ts";
import { blastDot, blastText } from "../views/blast.ts";
import type { Verb } from "./verb.ts";

export interface BlastOptions extends OfflineOptions {
  readonly hops?: string;
  readonly shadow?: boolean;
  readonly all?: boolean;
}

export const blast: Verb<BlastOptions> = async (context, [dir = "", workload = ""], options) => {
  const hops = options.hops === undefined ? Infinity : parseWhole(options.hops, "a number of hops");
  if (hops === 0) throw badInput("`--hops 0` goes nowhere", "give at least 1");
  const { desk, exitCode } = await openDeskOf(context, [dir], options);
  const view = options.shadow === true ? "shadow" : "live";
  const answer = orFailure(blastAt(desk, workload, { now: context.now(), view, hops }));
  return {
    value: answer,
    text: (ui) =>
      options.output === "dot" ? blastDot(answer) : blastText(answer, ui, options.all === true),
    next: [],
    exitCode: exitCode(0),
  };
};
