/** `bulkhead explain A B:5432`: would it be allowed, by what, and if not, what is the least that would allow it. */
import type { ApiClient, ExplainAnswer } from "@bulkhead/api";
import { parseTarget } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { badInput } from "../failure.ts";
import { resolveName } from "../names.ts";
import { withProgress } from "../progress.ts";
import { explainText } from "../views/explain.ts";
import type { Verb } from "./verb.ts";

export interface ExplainOptions extends CommonOptions {
  readonly shadow?: boolean;
  readonly change?: boolean;
}

export const explain: Verb<ExplainOptions> = async (context, args, options) => {
  const [from, to, port] = args;
  if (from === undefined || to === undefined)
    throw badInput("`explain` needs a source and a destination");
  if ([from, to, port].some((word) => word?.trim() === "")) {
    throw badInput("an end or the port is empty", "bulkhead explain web db:5432/tcp");
  }
  const target =
    port === undefined ? parseTarget(to) : { to: to.replace(/^\[(.*)\]$/, "$1"), port };
  const client = await context.client();
  const answer = await withProgress(context, "explaining", () =>
    client
      .call("explain", { from, ...target, view: options.shadow === true ? "shadow" : "live" })
      .catch((error: unknown) => didYouMean(error, client, [from, target.to])),
  );
  const denied = answer.verdict !== "allow";
  const exitCode = denied ? 1 : 0;
  if (options.change === true) {
    const change = answer.smallestChange;
    const nothing = denied
      ? `# nothing added would allow it: ${answer.inTheWay ?? "a rule denies it"}\n`
      : "# allowed already\n";
    return {
      value: change ?? null,
      text: () => (change === undefined ? nothing : `${change.text.trimEnd()}\n`),
      next: [],
      exitCode,
    };
  }
  return {
    value: answer,
    text: (ui) => explainText(answer, ui),
    next: nextOf(answer, args),
    exitCode,
  };
};

function nextOf(answer: ExplainAnswer, args: readonly string[]): readonly string[] {
  if (answer.audit !== undefined) return [`explain ${args.join(" ")} --shadow`];
  const change = answer.smallestChange;
  if (change === undefined) return ["observe"];
  const printing = `explain ${args.join(" ")} --change`;
  // First what it would change, then a decision: a hint is typed without much thought.
  return [
    change.fillIn.length === 0 ? `${printing} | bulkhead plan -` : `${printing} > change.yaml`,
  ];
}

/** An unknown end is most often a mistyped one: then the error says which. */
async function didYouMean(
  error: unknown,
  client: ApiClient,
  ends: readonly string[],
): Promise<never> {
  const { ApiFailure } = await import("@bulkhead/api");
  if (!(error instanceof ApiFailure) || error.code !== "unknown-workload") throw error;
  const [{ workloads }, { edges }] = await Promise.all([
    client.call("workloads", {}),
    client.call("edges", {}),
  ]);
  const seen = edges.flatMap((edge) => [edge.source.name, edge.destination.name]);
  const known = [...new Set([...workloads.map((workload) => workload.id), ...seen])];
  for (const end of ends) resolveName(end, known); // throws, with the nearest name
  throw error;
}
