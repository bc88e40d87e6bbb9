/** `bulkhead blast DIR WORKLOAD`: what an intruder there reaches, as a number and a list; without DIR on this machine. */
import { blastAt } from "@bulkhead/workbench/desk";
import { parseWhole } from "../arguments.ts";
import { badInput } from "../failure.ts";
import { pathLikeness } from "../input.ts";
import { openDeskOrHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { orFailure } from "../offline/requests.ts";
import { blastDot, blastText } from "../views/blast.ts";
import type { Verb } from "./verb.ts";

export interface BlastOptions extends OfflineOptions {
  readonly hops?: string;
  readonly shadow?: boolean;
  readonly all?: boolean;
}

export const blast: Verb<BlastOptions> = async (context, args, options) => {
  const hops = options.hops === undefined ? Infinity : parseWhole(options.hops, "a number of hops");
  if (hops === 0) throw badInput("`--hops 0` goes nowhere", "give at least 1");
  const workload = args.at(-1);
  if (workload === undefined) throw badInput("`blast` needs a workload", EXAMPLE);
  const paths = args.slice(0, -1);
  if (paths.length === 0) await refuseFolder(workload);
  const { desk, exitCode } = await openDeskOrHere(
    context,
    paths,
    options,
    `blast policies/ ${workload}`,
  );
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

const EXAMPLE = "bulkhead blast policies/ shop/web, or of this machine: bulkhead blast shop/web";

/** A folder alone is a workload forgotten. */
async function refuseFolder(word: string): Promise<void> {
  if ((await pathLikeness(word)) === "name") return;
  throw badInput(`\`blast\` needs a workload behind \`${word}\``, EXAMPLE);
}
