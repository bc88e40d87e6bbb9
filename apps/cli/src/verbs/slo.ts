/**
 * `bulkhead slo`: the measures M1 to M8, each beside what it should be. Exit code 1 with `--strict` when one of them misses
 * its target; what is not known misses nothing.
 */
import { latencySchema, type ApiClient, type SloAnswer } from "@bulkhead/api";
import { parseMoment } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { cannotRun } from "../failure.ts";
import { runAgent } from "../process/run-agent.ts";
import { withProgress } from "../progress.ts";
import { sloMarkdown, sloText } from "../views/slo.ts";
import { requireRoot } from "./up.ts";
import type { Verb } from "./verb.ts";

export interface SloOptions extends CommonOptions {
  readonly since?: string;
  readonly strict?: boolean;
  readonly measureLatency?: boolean;
}

export const slo: Verb<SloOptions> = async (context, _args, options) => {
  const since = options.since === undefined ? {} : { since: sinceOf(options.since, context) };
  const client = await context.client();
  if (options.measureLatency === true) await measure(context, client);
  const answer = await withProgress(context, "looking at what is on record", () =>
    client.call("slo", since),
  );
  const missed = answer.measures.some(({ state }) => state === "burning");
  return {
    value: answer,
    text: (ui) => (options.output === "md" ? sloMarkdown(answer, ui) : sloText(answer, ui)),
    next: options.output === "md" ? [] : nextOf(answer),
    exitCode: missed && options.strict === true ? 1 : 0,
  };
};

/** In a process and in networks of its own: nothing of what runs here waits for it. */
async function measure(context: Context, client: ApiClient): Promise<void> {
  requireRoot("slo --measure-latency");
  const { answer, words } = await withProgress(
    context,
    "timing exchanges in scratch networks",
    () => runAgent(context.state, "--measure-latency", "exchange"),
  );
  if (answer === undefined)
    throw cannotRun("latency could not be measured", words.join("; ") || "the agent said nothing");
  await client.call("latency", latencySchema.parse(answer));
}

const sinceOf = (text: string, { now }: Context): number => parseMoment(text, now());

/** Where the first measure that burns is looked into. */
const INTO: Readonly<Partial<Record<SloAnswer["measures"][number]["id"], string>>> = {
  M1: "workloads",
  M2: "observe --verdict dropped,rejected,spoofed",
  M3: "slo -o wide",
  M4: "drift",
  M5: "slo --measure-latency",
  M6: "status",
  M7: "why",
  M8: "status",
};

function nextOf({ measures }: SloAnswer): readonly string[] {
  const burning = measures.find(({ state }) => state === "burning");
  if (burning === undefined) return ["status"];
  return [INTO[burning.id] ?? "status"];
}
