/** `bulkhead observe`: what talks to what, as edges, as single flows, live, or by who talks most. */
import type { FlowFilter } from "@bulkhead/api";
import type { Edge, Flow } from "@bulkhead/model";
import type { Rank } from "@bulkhead/workbench/observe";
import { nextLine, printItem, type Answer } from "../answer.ts";
import { parseWhole } from "../arguments.ts";
import { FLOW_FORMATS, type CommonOptions, type Context } from "../context.ts";
import { badInput, Interrupted, type ExitCode } from "../failure.ts";
import { flowFilter } from "../flow-filter.ts";
import type { FlowOptions } from "../flow-options.ts";
import { storeMark } from "../flows/store-mark.ts";
import { withProgress } from "../progress.ts";
import { nearest } from "../ui/spell.ts";
import type { Ui } from "../ui/ui.ts";
import { edgesText, flowBlock, flowLine, flowsTable } from "../views/flows.ts";
import type { Verb } from "./verb.ts";

export interface ObserveOptions extends CommonOptions, FlowOptions {
  readonly follow?: boolean;
  readonly edges?: boolean;
  readonly flows?: boolean;
  readonly limit?: string;
  readonly first?: string;
  readonly last?: string;
  readonly expectNone?: boolean;
  readonly process?: boolean;
  /** `true` without a number. */
  readonly top?: string | true;
  readonly by?: string;
}

/** A listing of single flows ends somewhere; edges are few by nature. */
const DEFAULT_FLOWS = 200;
const DEFAULT_TOP = 10;

export const observe: Verb<ObserveOptions> = async (context, _args, options) => {
  refuseContradictions(options);
  if (options.by !== undefined) await refuseAlone(options.by, options);
  const filter = await flowFilter(context, options);
  if (ofSingleFlows(options)) return listFlows(context, filter, options);
  const limit = wholeOf(options.limit);
  const request = limit === undefined ? filter : { ...filter, limit };
  const client = await context.client();
  const answer = await withProgress(context, "reading flows", () => client.call("edges", request));
  const edges = answer.edges.toSorted((a, b) => b.connections - a.connections);
  // What would be cut is no less of a finding for being open already.
  const found = edges.length + (answer.underWay?.length ?? 0);
  const exitCode = options.expectNone === true && found > 0 ? 1 : 0;
  if (options.top !== undefined) return top(edges, options, exitCode);
  return {
    value: { ...answer, edges },
    text: (ui) => edgesText(edges, ui, answer.underWay),
    next: edges.length === 0 ? ["observe --follow"] : ["suggest -f policy.yaml"],
    exitCode,
  };
};

function ofSingleFlows(options: ObserveOptions): boolean {
  const { output, follow, flows, first, last, process } = options;
  const format = FLOW_FORMATS.some((known) => known === output);
  const asked = follow === true || flows === true || process === true;
  return asked || format || first !== undefined || last !== undefined;
}

function refuseContradictions(options: ObserveOptions): void {
  const { follow, until, first, last, limit, top: ranked, edges } = options;
  if (follow === true && until !== undefined) {
    throw badInput("`--follow` has no end, and `--until` is one", "leave out one of the two");
  }
  if (follow === true && first !== undefined) {
    throw badInput(
      "`--first` are the oldest flows, and `--follow` goes on with new ones",
      "`--last 20 --follow` is the last 20, and then those that come",
    );
  }
  const counts = [
    ...(first === undefined ? [] : ["--first"]),
    ...(last === undefined ? [] : ["--last"]),
    ...(limit === undefined ? [] : ["--limit"]),
  ];
  if (counts.length > 1) {
    throw badInput(`\`${counts.join("` and `")}\` say different numbers`, "give one of them");
  }
  if (!ofSingleFlows(options)) return;
  const whole = ranked !== undefined ? "--top" : edges === true ? "--edges" : undefined;
  if (whole === undefined) return;
  throw badInput(
    `\`${whole}\` is about like flows together, and single flows are asked for, too`,
    `leave out ${whole}, or what asks for single flows: --follow, --flows, --first, --last, --process, -o ${FLOW_FORMATS.join(", -o ")}`,
  );
}

async function refuseAlone(by: string, { top: ranked }: ObserveOptions): Promise<void> {
  const { RANKS } = await import("@bulkhead/workbench/observe");
  const rank = rankOf(by, RANKS);
  if (ranked === undefined)
    throw badInput("`--by` says how `--top` ranks", `write \`--top --by ${rank}\``);
}

async function top(
  edges: readonly Edge[],
  options: ObserveOptions,
  exitCode: ExitCode,
): Promise<Answer> {
  const [{ RANKS, topTalkers }, { talkersText }] = await Promise.all([
    import("@bulkhead/workbench/observe"),
    import("../views/talkers.ts"),
  ]);
  const count = options.top === true ? DEFAULT_TOP : wholeOf(options.top, "a number of talkers");
  const value = topTalkers(edges, rankOf(options.by ?? "bytes", RANKS), count ?? DEFAULT_TOP);
  return {
    value,
    text: (ui) => talkersText(value, ui),
    next: value.talkers.length === 0 ? ["observe --follow"] : ["map"],
    exitCode,
  };
}

function rankOf(typed: string, ranks: readonly Rank[]): Rank {
  const known = ranks.find((rank) => rank === typed);
  if (known !== undefined) return known;
  const near = nearest(typed, ranks);
  throw badInput(
    `\`--by ${typed}\` is not a rank`,
    near === undefined ? `use ${ranks.join(", ")}` : `did you mean \`${near}\`?`,
  );
}

function wholeOf(text: string | undefined, what = "a number of flows"): number | undefined {
  return text === undefined ? undefined : parseWhole(text, what);
}

type Print = (flow: Flow) => Promise<void>;

async function listFlows(
  context: Context,
  filter: FlowFilter,
  options: ObserveOptions,
): Promise<ExitCode> {
  const client = await context.client();
  const follow = options.follow === true;
  const first = wholeOf(options.first);
  const limit = wholeOf(options.last ?? options.limit);
  // Following begins now, unless an earlier start was asked for.
  const since = filter.since ?? (follow && options.last === undefined ? context.now() : undefined);
  const request = {
    ...filter,
    limit: limit ?? (follow || first !== undefined ? 0 : DEFAULT_FLOWS),
    ...(first === undefined ? {} : { first }),
    follow,
    ...(since === undefined ? {} : { since }),
  };
  // For those who keep lines: a listing for people is read once.
  const kept = options.output === "json" || options.output === "yaml";
  const marked = kept ? await storeMark(client, context.signal) : (flow: Flow): Flow => flow;
  const print = await printerOf(context, options);
  if (follow && context.format !== "json") context.stderr.write("Following; Ctrl-C ends it.\n");
  let found = false;
  // `| head -1`: that nobody reads is else noticed when the next flow is written, and there may be none.
  const reader = follow ? await context.stdout.watchReader?.() : undefined;
  const ends = [context.signal, ...(reader === undefined ? [] : [reader.gone])];
  try {
    for await (const flow of client.stream("flows", request, { signal: AbortSignal.any(ends) })) {
      await print(marked(flow));
      found = true;
      // Nothing that comes later makes it none again.
      if (follow && options.expectNone === true) break;
    }
  } catch (error) {
    if (!ends.some(({ aborted }) => aborted)) throw error;
  } finally {
    reader?.stop();
  }
  if (reader?.gone.aborted === true) return 0;
  // Ctrl-C is how following ends; a listing is cut short by it.
  if (!follow && context.signal.aborted) throw new Interrupted();
  if (context.format === "human" || context.format === "wide") {
    context.stdout.write(nextLine(["observe", "suggest -f policy.yaml"], context));
  }
  return found && options.expectNone === true ? 1 : 0;
}

async function printerOf(context: Context, options: ObserveOptions): Promise<Print> {
  if (options.output === "jsonpb") {
    const { hubbleFlow } = await import("@bulkhead/workbench/observe");
    return (flow) => printItem(context, hubbleFlow(flow), () => "");
  }
  const line = lineOf(options);
  return (flow) => printItem(context, flow, (ui) => line(flow, ui));
}

function lineOf({ output, process = false }: ObserveOptions): (flow: Flow, ui: Ui) => string {
  if (output === "dict") return flowBlock;
  if (output === "table") return flowsTable({ process });
  return (flow, ui) => flowLine(flow, ui, { process });
}
