/**
 * `bulkhead slo`: the measures M1 to M8, each beside what it should be. Exit code 1 with `--strict` when one of them misses
 * its target; what is not known misses nothing.
 */
import type { SloAnswer } from "@bulkhead/api";
import { parseMoment } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { withProgress } from "../progress.ts";
import { sloMarkdown, sloText } from "../views/slo.ts";
import type { Verb } from "./verb.ts";

export interface SloOptions extends CommonOptions {
  readonly since?: string;
  readonly strict?: boolean;
}

export const slo: Verb<SloOptions> = async (context, _args, options) => {
  const since = options.since === undefined ? {} : { since: sinceOf(options.since, context) };
  const client = await context.client();
  const answer = await withProgress(context, "measuring", () => client.call("slo", since));
  const missed = answer.measures.some(({ state }) => state === "burning");
  return {
    value: answer,
    text: (ui) => (options.output === "md" ? sloMarkdown(answer, ui) : sloText(answer, ui)),
    next: options.output === "md" ? [] : nextOf(answer),
    exitCode: missed && options.strict === true ? 1 : 0,
  };
};

const sinceOf = (text: string, { now }: Context): number => parseMoment(text, now());

/** Where the first measure that burns is looked into. */
const INTO: Readonly<Partial<Record<SloAnswer["measures"][number]["id"], string>>> = {
  M1: "workloads",
  M2: "observe --verdict dropped,rejected,spoofed",
  M3: "slo -o wide",
  M4: "drift",
  M5: "doctor",
  M6: "status",
  M7: "why",
  M8: "status",
};

function nextOf({ measures }: SloAnswer): readonly string[] {
  const burning = measures.find(({ state }) => state === "burning");
  if (burning === undefined) return ["status"];
  return [INTO[burning.id] ?? "status"];
}
