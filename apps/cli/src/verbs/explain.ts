/**
 * `bulkhead explain A B:5432`: would it be allowed, by what, and if not, what is the least that would allow it. Behind the
 * name of a folder or file, or `-`, the same is asked of what is written there.
 */
import type { ApiClient, ExplainAnswer } from "@bulkhead/api";
import { parseTarget } from "../arguments.ts";
import type { Answer } from "../answer.ts";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { pathLikeness } from "../input.ts";
import { resolveName } from "../names.ts";
import { withProgress } from "../progress.ts";
import type { OfflineOptions } from "../offline/options.ts";
import type { RequestOptions } from "../offline/request-options.ts";
import { orFailure, requestFields } from "../offline/requests.ts";
import { shellWord } from "../ui/shell.ts";
import { cutsText, explainText, type Explained } from "../views/explain.ts";
import type { Verb } from "./verb.ts";

export interface ExplainOptions extends OfflineOptions, RequestOptions {
  readonly shadow?: boolean;
  readonly change?: boolean;
}

export const explain: Verb<ExplainOptions> = async (context, args, options) => {
  if (args.some((word) => word.trim() === "")) {
    throw badInput("an end or the port is empty", "bulkhead explain web db:5432/tcp");
  }
  const [dir, ...asked] = args;
  if (dir !== undefined && (await isFolderFirst(dir, asked))) {
    return explainFiles(context, dir, asked, options);
  }
  const { from, to, port } = endsIn(args);
  const client = await context.client();
  const answer = await withProgress(context, "explaining", () =>
    client
      .call("explain", { from, to, port, view: options.shadow === true ? "shadow" : "live" })
      .catch((error: unknown) => didYouMean(error, client, [from, to])),
  );
  const next = nextOf(answer, `explain ${args.join(" ")}`);
  return options.change === true ? changeOnly(answer) : explained(answer, next);
};

function endsIn(args: readonly string[]): {
  readonly from: string;
  readonly to: string;
  readonly port: string;
} {
  const [from, to, port] = args;
  if (from === undefined || to === undefined)
    throw badInput(
      "`explain` needs a source and a destination",
      "bulkhead explain web db:5432/tcp, or behind a folder: bulkhead explain policies/ web db:5432/tcp",
    );
  const target =
    port === undefined ? parseTarget(to) : { to: to.replace(/^\[(.*)\]$/, "$1"), port };
  return { from, ...target };
}

/**
 * With two or three words behind it: a workload may be called as a folder here is, and then its own two come first. Where
 * words can mean nothing but files, the daemon is not asked.
 */
async function isFolderFirst(dir: string, asked: readonly string[]): Promise<boolean> {
  const [from = "", to = "", port] = asked;
  if (port !== undefined || to.includes(":")) return true;
  const likeness = await pathLikeness(dir);
  if (likeness === "name") return false;
  if (to !== "" && !/^(\d|icmp)/.test(to)) {
    const words = ["bulkhead explain", dir, from, `${to}:5432/tcp`];
    throw badInput(`the port at \`${to}\` is missing`, words.join(" "));
  }
  return likeness === "path";
}

async function explainFiles(
  context: Context,
  dir: string,
  asked: readonly string[],
  options: ExplainOptions,
): Promise<Answer> {
  const question = { ...endsIn(asked), ...requestFields(options) };
  const [{ openDeskOf }, { createEndFinder, explainAtDesk }] = await Promise.all([
    import("../offline/open.ts"),
    import("@bulkhead/workbench/desk"),
  ]);
  const { desk, exitCode } = await openDeskOf(context, [dir], options);
  const view = options.shadow === true ? "shadow" : "live";
  const judged = { now: context.now(), view } as const;
  const answer = orFailure(explainAtDesk(desk, createEndFinder(desk), question, judged));
  const words = ["explain", dir, ...asked].map(shellWord).join(" ");
  const next = answer.smallestChange === undefined ? [] : [`${words} --change`];
  const cuts = answer.smallestChange?.cuts ?? [];
  // Beside the text alone, which goes to a file or a pipe.
  if (options.change === true) context.stderr.write(cutsText(cuts, context.ui));
  const { exitCode: own, ...rest } =
    options.change === true ? changeOnly(answer) : explained(answer, next);
  return { ...rest, exitCode: exitCode(own) };
}

function explained(answer: Explained, next: readonly string[]): Answer {
  return {
    value: answer,
    text: (ui) => explainText(answer, ui),
    next,
    exitCode: answer.verdict === "allow" ? 0 : 1,
  };
}

function changeOnly({ verdict, inTheWay, smallestChange: change }: Explained): Answer {
  const denied = verdict !== "allow";
  const nothing = denied
    ? `# nothing to propose: ${inTheWay ?? "a rule denies it"}\n`
    : "# allowed already\n";
  return {
    value: change ?? null,
    text: () => (change === undefined ? nothing : `${change.text.trimEnd()}\n`),
    next: [],
    exitCode: denied ? 1 : 0,
  };
}

function nextOf(answer: ExplainAnswer, words: string): readonly string[] {
  if (answer.audit !== undefined) return [`${words} --shadow`];
  const change = answer.smallestChange;
  if (change === undefined) return ["observe"];
  const printing = `${words} --change`;
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
