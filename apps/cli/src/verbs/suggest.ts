/**
 * `bulkhead suggest`: the least policy for what was seen, from the running controller or from an export. Without a file to
 * write to it is the policy text itself, ready for a pipe.
 */
import type { SuggestAnswer } from "@bulkhead/api";
import type { SetAside, TrafficPurpose } from "@bulkhead/model";
import type { ExportInput, PullRequest, ReplayCounts } from "@bulkhead/workbench";
import type { Answer } from "../answer.ts";
import { parseSpan, refuseLoneFormat } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, cannotRun } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { withProgress } from "../progress.ts";
import { save, targetOf } from "../save.ts";
import type { Dialect } from "../suggest/dialect.ts";
import { saveFiles, targetsOf } from "../suggest/directory.ts";
import { lookedAt, newsFor, type News } from "../suggest/news.ts";
import { parseWindow } from "../suggest/time-window.ts";
import { shellWord } from "../ui/shell.ts";
import type { Verb } from "./verb.ts";

export interface SuggestOptions extends CommonOptions {
  readonly file?: string;
  readonly directory?: string;
  readonly overwrite?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly namespace?: readonly string[];
  readonly range?: readonly string[];
  readonly excludeWindow?: readonly string[];
  readonly sinceLast?: boolean;
  readonly includePeople?: boolean;
  readonly accept?: readonly string[];
  readonly proposeLabels?: boolean;
  readonly anchor?: string;
  readonly flows?: string;
  readonly format?: string;
  readonly to?: string;
  readonly approximate?: string;
}

/** What was asked for, whoever answers. */
interface Asked {
  readonly span: { readonly since?: number; readonly until?: number };
  readonly exclude: readonly { readonly from: number; readonly to: number }[];
  readonly ranges: readonly string[];
  readonly namespaces: readonly string[] | undefined;
  readonly includePeople: boolean;
  readonly accept: readonly string[];
  readonly proposeLabels: boolean;
  readonly formerRoles: Readonly<Record<string, string>>;
}

interface Found {
  readonly answer: SuggestAnswer;
  /** Everybody who is there, or in the export. */
  readonly everybody: () => Promise<ExportInput>;
  /** In which dialect it is written; absent for our own. */
  readonly dialect?: string;
  readonly replay?: ReplayCounts;
  /** Not one of the flows tells of a workload. */
  readonly ofNobody?: boolean;
  /** To stderr: what could not be read of an export. */
  readonly remarks: readonly string[];
}

export const suggest: Verb<SuggestOptions> = async (context, _args, options) => {
  refuseLoneFormat(options);
  const asked = await askedFor(context, options);
  const dialect = await dialectOf(options);
  const file = options.file === "-" ? undefined : options.file;
  if (options.directory !== undefined && options.file !== undefined) {
    throw badInput("`--file` and `--directory` are both given", "give one of them");
  }
  if (options.flows !== undefined && options.sinceLast === true) {
    throw badInput("`--since-last` is about the running system", "leave out `--flows`");
  }
  const overwrite = options.overwrite === true;
  const target = file === undefined ? undefined : await targetOf(file, overwrite);
  const markdown = options.output === "markdown";
  const suggested =
    options.flows === undefined
      ? await ask(context, asked, markdown)
      : await fromFlows(context, options.flows, options.format, asked);
  for (const remark of suggested.remarks) context.stderr.write(`${remark}\n`);
  const found = dialect === undefined ? suggested : await inDialect(context, suggested, dialect);
  if (found === undefined) return 1;
  const { answer } = found;
  const news = options.flows === undefined ? await newsFor(context, answer) : undefined;
  if (news === undefined && options.sinceLast === true) {
    throw cannotRun(
      "nothing says where to remember what you were shown",
      "set HOME or XDG_STATE_HOME",
    );
  }

  const text = answer.files.map((one) => one.text).join("---\n");
  // A file without a rule would only be in the way of the next suggestion.
  const worth = answer.rules.length > 0;
  if (target !== undefined && worth) await save(target, text);
  if (options.directory !== undefined && worth) {
    const targets = await targetsOf(options.directory, answer.perApplication ?? [], overwrite);
    await saveFiles(targets);
  }
  const written = file ?? options.directory;
  const answered: Answer = markdown
    ? await pullRequest(found, asked, options.sinceLast === true ? news : undefined)
    : await summary(context, found, options, { text, written, news });
  await lookedAt(context, news, {
    asked: options.sinceLast === true,
    whole: isWhole(asked),
  });
  return answered;
};

async function dialectOf({ to, approximate }: SuggestOptions): Promise<Dialect | undefined> {
  if (to === undefined) {
    if (approximate === undefined) return undefined;
    throw badInput("`--approximate` is about another dialect", "give `--to`");
  }
  return (await import("../suggest/dialect.ts")).dialectNamed(to, approximate);
}

/** Undefined: it is refused, and said why. */
async function inDialect(
  context: Context,
  found: Found,
  dialect: Dialect,
): Promise<Found | undefined> {
  if (found.answer.rules.length === 0) return found;
  const [{ writtenIn }, everybody] = await Promise.all([
    import("../suggest/dialect.ts"),
    found.everybody(),
  ]);
  const answer = await withProgress(context, "proving that it says the same", async () =>
    writtenIn(context, found.answer, everybody, dialect),
  );
  return answer === undefined ? undefined : { ...found, answer, dialect: dialect.target.title };
}

async function askedFor(context: Context, options: SuggestOptions): Promise<Asked> {
  const now = context.now();
  const formerRoles = await rolesIn(context, options.anchor);
  return {
    span: parseSpan(options, now),
    exclude: (options.excludeWindow ?? []).map((text) => parseWindow(text, now)),
    ranges: options.range ?? [],
    namespaces: options.namespace,
    includePeople: options.includePeople === true,
    accept: options.accept ?? [],
    proposeLabels: options.proposeLabels === true || options.anchor !== undefined,
    formerRoles,
  };
}

/** What roles were called in a file that an earlier suggestion wrote. */
async function rolesIn(
  context: Context,
  file: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  if (file === undefined) return {};
  const [{ proposedIn }, { PROPOSED_KEY }] = await Promise.all([
    import("@bulkhead/workbench"),
    import("@bulkhead/learn"),
  ]);
  const files = await readPolicyFiles(context, [file]);
  return Object.fromEntries(
    files
      .flatMap(({ text }) => [...proposedIn(text)])
      .flatMap(([id, labels]) => {
        const role = labels[PROPOSED_KEY];
        return role === undefined ? [] : [[id, role]];
      }),
  );
}

/** Nothing was left out: whatever it does not hold is no more. */
function isWhole({ span, exclude, namespaces }: Asked): boolean {
  return Object.keys(span).length === 0 && exclude.length === 0 && namespaces === undefined;
}

async function ask(
  context: Context,
  { span, exclude, ranges, namespaces, includePeople, accept, proposeLabels, formerRoles }: Asked,
  replaying: boolean,
): Promise<Found> {
  const client = await context.client();
  const answer = await withProgress(context, "studying what was seen", () =>
    client.call("suggest", {
      ...span,
      ...(namespaces === undefined ? {} : { namespaces: [...namespaces] }),
      ...(ranges.length === 0 ? {} : { ranges: [...ranges] }),
      ...(exclude.length === 0 ? {} : { exclude: [...exclude] }),
      ...(includePeople ? { includePeople } : {}),
      ...(accept.length === 0 ? {} : { accept: [...accept] }),
      ...(proposeLabels ? { proposeLabels, formerRoles } : {}),
    }),
  );
  const everybody = async (): Promise<ExportInput> =>
    (await import("../offline/in-force.ts")).readEverybody(client);
  if (!replaying || answer.rules.length === 0) return { answer, everybody, remarks: [] };
  const { newlyDenied, newlyAllowed, unchanged, edges } = await withProgress(
    context,
    "replaying recorded traffic",
    () => client.call("replay", { files: answer.files, ...span, mode: "enforce" }),
  );
  const edgesOf = (rows: typeof newlyDenied) => rows.map(({ edge }) => edge);
  return {
    answer,
    everybody,
    remarks: [],
    replay: {
      edges,
      newlyDenied: edgesOf(newlyDenied),
      newlyAllowed: edgesOf(newlyAllowed),
      unchanged,
    },
  };
}

async function fromFlows(
  context: Context,
  file: string,
  format: string | undefined,
  asked: Asked,
): Promise<Found> {
  const [{ suggestOffline }, { importRemarks, isOfNobody }, { readRange }] = await Promise.all([
    import("../suggest/offline.ts"),
    import("../views/import.ts"),
    import("@bulkhead/learn"),
  ]);
  const ranges = asked.ranges.map((text) => {
    const read = readRange(text);
    if ("cidr" in read) return read.cidr;
    throw badInput(`\`--range\`: ${read.error}`, read.help);
  });
  const offline = await withProgress(context, "reading flows", () =>
    suggestOffline(context, file, {
      ...asked.span,
      exclude: asked.exclude,
      ranges,
      includePeople: asked.includePeople,
      accept: asked.accept,
      proposeLabels: asked.proposeLabels,
      formerRoles: new Map(Object.entries(asked.formerRoles)),
      ...(asked.namespaces === undefined ? {} : { namespaces: asked.namespaces }),
      ...(format === undefined ? {} : { format }),
    }),
  );
  const { answer, replay, inventory } = offline;
  const everybody = async (): Promise<ExportInput> => {
    const { DEFAULT_PROFILE } = await import("@bulkhead/model");
    return { ...inventory, profile: DEFAULT_PROFILE };
  };
  const ofNobody = isOfNobody(offline.imported);
  return { answer, everybody, replay, ofNobody, remarks: importRemarks(offline, context.ui) };
}

async function summary(
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
      `${suggestText(answer, written, ui, ofNobody)}${news === undefined ? "" : newsText(news.told, ui)}`,
    next: [next],
    exitCode: 0,
  };
}

async function pullRequest(
  { answer, replay, dialect }: Found,
  { exclude }: Asked,
  news: News | undefined,
): Promise<Answer> {
  const { suggestionMarkdown } = await import("@bulkhead/workbench");
  const request: PullRequest = {
    report: {
      ...answer,
      perApplication: answer.perApplication ?? [],
      applications: answer.applications ?? [],
      networkSets: answer.networkSets ?? [],
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
    },
    excluded: exclude,
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
  const words = [
    ["--flows", options.flows],
    ["--to", options.to],
    ["--approximate", options.approximate],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${shellWord(value)} `]));
  return `suggest ${words.join("")}-f policy.yaml`;
}
