/**
 * `bulkhead why`: for whoever's connection just failed, and who need not be root. Names the rule, who answers for it, its
 * commit, since when; and drafts what to propose. Exit code 1: denied now; 0: nothing is, or not any more.
 */
import type { ApiClient, WhyAnswer, WhyQuery } from "@bulkhead/api";
import type { Answer } from "../answer.ts";
import { parseTarget } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { authorOf } from "./policies.ts";
import { resolveName } from "../names.ts";
import { withProgress } from "../progress.ts";
import { count } from "../ui/words.ts";
import { whyText } from "../views/why.ts";
import type { Verb } from "./verb.ts";

export interface WhyOptions extends CommonOptions {
  readonly draft?: boolean;
  readonly report?: string;
}

export const why: Verb<WhyOptions> = async (context, args, options) => {
  const asked = queryOf(args);
  const client = await context.client();
  const answer = await withProgress(context, "looking for what was denied", () =>
    client
      .call("why", { ...asked, ...uidOf(context.env) })
      .catch((error: unknown) => didYouMean(error, client, asked)),
  );
  if (options.report !== undefined) return report(answer, options.report, context, client);
  const denied = answer.verdict !== undefined && answer.verdict !== "allow";
  const exitCode = denied ? 1 : 0;
  if (options.draft === true) {
    const { draft } = answer;
    return {
      value: draft ?? null,
      text: () =>
        draft === undefined
          ? `# nothing to propose: ${answer.inTheWay ?? "nothing that fits is denied"}\n`
          : draft.text,
      next: [],
      exitCode,
    };
  }
  return {
    value: answer,
    text: (ui) => whyText(answer, asked, ui),
    next: nextOf(answer),
    exitCode,
  };
};

/** Denials by mistake are a measure, and how long they last is another. */
async function report(
  { denial, port }: WhyAnswer,
  reason: string,
  context: Context,
  client: ApiClient,
): Promise<Answer> {
  if (reason.trim() === "") {
    throw badInput("the reason is empty", "bulkhead why web db:5432 --report 'what fails'");
  }
  if (denial === undefined || port === undefined)
    throw badInput("no denial on record fits", "`bulkhead observe --verdict dropped,rejected`");
  const value = await client.call("falseDeny", {
    from: denial.source.name,
    to: denial.destination.name,
    port,
    author: authorOf(context),
    reason,
  });
  const { subject, connections, opened } = value;
  const text = opened
    ? `Reported: ${subject}, denied ${count(connections, "time")}. It is open until a revision permits it.\n`
    : `${subject} was reported before, and no revision permits it yet.\n`;
  return {
    value,
    text: () => text,
    next: ["why --draft", "slo"],
    exitCode: 0,
  };
}

function queryOf([from, to, port]: readonly string[]): WhyQuery {
  if ([from, to, port].some((word) => word?.trim() === "")) {
    throw badInput("an end or the port is empty", "bulkhead why web db:5432/tcp");
  }
  if (from === undefined) return {};
  if (to === undefined) return { from };
  if (port !== undefined) return { from, to: bare(to), port };
  // Without a port it is the last that was denied between the two, whatever its port.
  const hasPort = /^\[.*\]:|^[^:]*:[^:]+$/.test(to);
  return hasPort ? { from, ...parseTarget(to) } : { from, to: bare(to) };
}

function bare(end: string): string {
  return end.replace(/^\[(.*)\]$/, "$1");
}

/** Behind sudo it is the person's own processes that are meant. It only chooses among what anybody may see. */
function uidOf(env: Readonly<Record<string, string | undefined>>): { readonly uid?: number } {
  const behind = env["SUDO_UID"] ?? "";
  const uid = /^\d+$/.test(behind) ? Number(behind) : process.getuid?.();
  return uid === undefined ? {} : { uid };
}

/** What denies it is enforced: a draft that only audits would open nothing. */
const OPENING = "--mode enforce --confirm 60s";

function nextOf(answer: WhyAnswer): readonly string[] {
  const { from, to, port, draft } = answer;
  if (answer.verdict === undefined) return ["observe --follow"];
  if (from === undefined || to === undefined || port === undefined) return ["observe --follow"];
  const question = `why ${from} ${to.includes(":") ? `[${to}]` : to}:${port}`;
  if (draft === undefined) return [`explain ${question.slice("why ".length)}`];
  return draft.fillIn.length === 0
    ? [`${question} --draft | bulkhead plan -`, `${question} --draft | bulkhead apply - ${OPENING}`]
    : [`${question} --draft > change.yaml`, `apply change.yaml ${OPENING}`];
}

/** An unknown end is most often a mistyped one: then the error says which. */
async function didYouMean(error: unknown, client: ApiClient, asked: WhyQuery): Promise<never> {
  const { ApiFailure } = await import("@bulkhead/api");
  if (!(error instanceof ApiFailure) || error.code !== "unknown-workload") throw error;
  const { workloads } = await client.call("workloads", {});
  const known = workloads.map(({ id }) => id);
  for (const end of [asked.from, asked.to]) if (end !== undefined) resolveName(end, known);
  throw error;
}
