/** `bulkhead observe`: what talks to what, as edges, as single flows, or live. */
import type { FlowFilter } from "@bulkhead/api";
import { nextLine, printItem } from "../answer.ts";
import { parseSpan, parseWhole } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, Interrupted } from "../failure.ts";
import { resolveName } from "../names.ts";
import { withProgress } from "../progress.ts";
import { nearest } from "../ui/spell.ts";
import { edgesText, flowLine } from "../views/flows.ts";
import type { Verb } from "./verb.ts";

export interface ObserveOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly flows?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly verdict?: readonly string[];
  readonly workload?: readonly string[];
  readonly from?: readonly string[];
  readonly to?: readonly string[];
  readonly port?: string;
  readonly limit?: string;
  readonly probes?: boolean;
}

export const VERDICTS = ["forwarded", "dropped", "rejected", "audit", "spoofed", "error"] as const;
/** A listing of single flows ends somewhere; edges are few by nature. */
const DEFAULT_FLOWS = "200";

export const observe: Verb<ObserveOptions> = async (context, _args, options) => {
  if (options.follow === true && options.until !== undefined) {
    throw badInput("`--follow` has no end, and `--until` is one", "leave out one of the two");
  }
  const filter = await filterOf(context, options);
  if (options.follow === true || options.flows === true) return stream(context, filter, options);
  const client = await context.client();
  const answer = await withProgress(context, "reading flows", () => client.call("edges", filter));
  const edges = answer.edges.toSorted((a, b) => b.connections - a.connections);
  return {
    value: { ...answer, edges },
    text: (ui) => edgesText(edges, ui, answer.underWay),
    next: edges.length === 0 ? ["observe --follow"] : ["suggest -f policy.yaml"],
    exitCode: 0,
  };
};

async function stream(context: Context, filter: FlowFilter, options: ObserveOptions): Promise<0> {
  const client = await context.client();
  const follow = options.follow === true;
  // Following begins now, unless an earlier start was asked for.
  const since = filter.since ?? (follow ? context.now() : undefined);
  const limit = follow ? (options.limit ?? "0") : (options.limit ?? DEFAULT_FLOWS);
  const request = {
    ...filter,
    limit: parseWhole(limit, "a number of flows"),
    follow,
    ...(since === undefined ? {} : { since }),
  };
  if (follow && context.format !== "json") context.stderr.write("Following; Ctrl-C ends it.\n");
  try {
    for await (const flow of client.stream("flows", request, { signal: context.signal })) {
      await printItem(context, flow, (ui) => flowLine(flow, ui));
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
  }
  // Ctrl-C is how following ends; a listing is cut short by it.
  if (!follow && context.signal.aborted) throw new Interrupted();
  if (context.format === "human" || context.format === "wide") {
    context.stdout.write(nextLine(["observe", "suggest -f policy.yaml"], context));
  }
  return 0;
}

async function filterOf(context: Context, options: ObserveOptions): Promise<FlowFilter> {
  const now = context.now();
  const ends = [...(options.workload ?? []), ...(options.from ?? []), ...(options.to ?? [])];
  const known = ends.length === 0 ? [] : await knownNames(context);
  const names = (typed: readonly string[] | undefined): string[] | undefined =>
    typed?.map((name) => resolveName(name, known));
  const workload = names(options.workload);
  const from = names(options.from);
  const to = names(options.to);
  return {
    ...parseSpan(options, now),
    ...(options.verdict === undefined ? {} : { verdict: options.verdict.map(verdictOf) }),
    ...(workload === undefined ? {} : { workload }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(options.port === undefined ? {} : { port: options.port }),
    ...(options.limit === undefined
      ? {}
      : { limit: parseWhole(options.limit, "a number of flows") }),
    ...(options.probes === true ? { probes: true } : {}),
  };
}

/** Workloads there are, and ends that were seen before (NetworkSets, workloads that have gone). */
async function knownNames(context: Context): Promise<readonly string[]> {
  const client = await context.client();
  const [{ workloads }, { edges }] = await Promise.all([
    client.call("workloads", {}),
    client.call("edges", {}),
  ]);
  const seen = edges.flatMap((edge) => [edge.source.name, edge.destination.name]);
  return [...new Set([...workloads.map((workload) => workload.id), ...seen])];
}

function verdictOf(typed: string): (typeof VERDICTS)[number] {
  const known = VERDICTS.find((verdict) => verdict === typed);
  if (known !== undefined) return known;
  const near = nearest(typed, VERDICTS);
  throw badInput(
    `\`${typed}\` is not a verdict`,
    near === undefined ? `use ${VERDICTS.join(", ")}` : `did you mean \`${near}\`?`,
  );
}
