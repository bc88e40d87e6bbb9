/** How a suggestion is answered: the policy itself, a summary of what was written or is new, or the text of a pull request. */
import type { SuggestAnswer } from "@bulkhead/api";
import type { SetAside, TrafficPurpose } from "@bulkhead/model";
import type { PullRequest } from "@bulkhead/workbench";
import type { Answer } from "../answer.ts";
import type { Context } from "../context.ts";
import { shellWord } from "../ui/shell.ts";
import type { Asked, SuggestOptions } from "./asked.ts";
import type { Found } from "./found.ts";
import type { News } from "./news.ts";

export async function summary(
  context: Context,
  { answer, ofNobody = false }: Found,
  options: SuggestOptions,
  made: {
    readonly text: string;
    readonly written: string | undefined;
    readonly news: News | undefined;
  },
): Promise<Answer> {
  const { INVENTORY_NEXT, newsText, sinceLastText, suggestText } =
    await import("../views/suggest.ts");
  const { text, written, news } = made;
  const next = nextOf(answer, options, written, INVENTORY_NEXT);
  if (options.sinceLast === true && news !== undefined) {
    const value = { ...answer, news: { ...news.told } };
    return { value, text: (ui) => sinceLastText(answer, news.told, ui), next: [next], exitCode: 0 };
  }
  const listed = options.output === "table" || context.format === "wide";
  if (written === undefined && !listed) {
    if (news !== undefined && context.format === "human") {
      context.stderr.write(newsText(news.told, context.ui));
    }
    return {
      value: answer,
      text: () => `${text}# next: ${context.hint(next)}\n`,
      next: [],
      exitCode: 0,
    };
  }
  return {
    value: answer,
    text: (ui) =>
      `${suggestText(answer, written, ui, { ofNobody, all: options.all === true })}${news === undefined ? "" : newsText(news.told, ui)}`,
    next: [next],
    exitCode: 0,
  };
}

export async function pullRequest(
  { answer, replay, dialect, ofNobody = false }: Found,
  { exclude, all }: Asked,
  news: News | undefined,
): Promise<Answer> {
  const { suggestionMarkdown } = await import("@bulkhead/workbench");
  const request: PullRequest = {
    report: {
      ...answer,
      perApplication: answer.perApplication ?? [],
      applications: answer.applications ?? [],
      networkSets: answer.networkSets ?? [],
      fewerRules: answer.fewerRules ?? [],
      links: answer.links ?? [],
      unattributed: answer.unattributed ?? [],
      unlabelled: answer.unlabelled ?? [],
      proposedLabels: answer.proposedLabels ?? [],
      rules: answer.rules.map(({ purpose, slack, application = "", rare = false, ...rule }) => ({
        ...rule,
        ...(slack === undefined ? {} : { slack }),
        application,
        rare,
        ...(purpose === undefined ? {} : { purpose: purpose as TrafficPurpose }),
      })),
      setAside: answer.setAside as SetAside[],
      covered: (answer.covered ?? []) as SetAside[],
      idleAccepts: [],
    },
    excluded: exclude,
    ofNobody,
    all,
    ...(dialect === undefined ? {} : { dialect }),
    ...(replay === undefined ? {} : { replay }),
    ...(news === undefined ? {} : { news: news.told }),
  };
  const text = suggestionMarkdown(request);
  return { value: { text }, text: () => text, next: [], exitCode: 0 };
}

function nextOf(
  answer: SuggestAnswer,
  options: SuggestOptions,
  written: string | undefined,
  inventory: string,
): string {
  if ((answer.unlabelled ?? []).length > 0) return inventory;
  if (answer.rules.length === 0) return "observe --follow";
  if (written !== undefined) return `replay ${shellWord(written)}`;
  return `suggest ${typedAgain(options)}-f policy.yaml`;
}

/** Whatever makes a suggestion another one has to be said again. */
const SHAPING = [
  "flows",
  "format",
  "since",
  "until",
  "namespace",
  "range",
  "excludeWindow",
  "includePeople",
  "accept",
  "maxRules",
  "proposeLabels",
  "anchor",
  "to",
  "approximate",
] as const;

function typedAgain(options: SuggestOptions): string {
  const words = SHAPING.flatMap((key) => {
    const value = options[key];
    const name = `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === undefined || value === false) return [];
    return value === true ? [name] : [value].flat().map((one) => `${name} ${shellWord(one)}`);
  });
  return words.map((word) => `${word} `).join("");
}
