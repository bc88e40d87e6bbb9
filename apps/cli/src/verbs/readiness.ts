/**
 * `bulkhead readiness`: how complete the picture of everybody is, what it still waits for, and when it will be ready. Exit code
 * 1 with `--strict` while anybody is still learning. What a person says of doubtful edges is recorded first; of a file it holds
 * for the one answer.
 */
import type { DoubtsRequest, ReadinessAnswer } from "@bulkhead/api";
import { refuseLoneFormat } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { withProgress } from "../progress.ts";
import { shellWord } from "../ui/shell.ts";
import { nearest } from "../ui/spell.ts";
import { isAllSetAside, isNobody, readinessMarkdown, readinessText } from "../views/readiness.ts";
import { authorOf } from "./policies.ts";
import type { Verb } from "./verb.ts";

export interface ReadinessOptions extends CommonOptions {
  readonly level?: string;
  readonly flows?: string;
  readonly format?: string;
  readonly strict?: boolean;
  readonly accept?: readonly string[];
  readonly reject?: readonly string[];
  readonly forget?: readonly string[];
  readonly reason?: string;
}

/** As in `READINESS_LEVELS`, which costs more to load than the command line may take. */
export const LEVELS = ["workload", "group", "application"] as const;

export const readiness: Verb<ReadinessOptions> = async (context, names, options) => {
  refuseLoneFormat(options);
  const level = LEVELS.find((known) => known === (options.level ?? "group"));
  if (level === undefined) {
    throw badInput(`unknown level \`${options.level}\``, `use one of ${LEVELS.join(", ")}`);
  }
  const words = wordsOf(options);
  const { answer, isBroken } =
    options.flows === undefined
      ? { answer: await ask(context, level, words), isBroken: false }
      : await fromFlows(context, options.flows, { ...options, level, words });
  const value = names.length === 0 ? answer : { ...answer, subjects: only(names, answer) };
  const learning = value.subjects.some((one) => one.state === "learning" && !isNobody(one));
  const markdown = options.output === "md";
  const told = {
    command: context.hint(commandOf("readiness", options)),
    suggestion: context.hint(commandOf("suggest", options)),
    chosen: names.length > 0,
  };
  return {
    value,
    text: (ui) => (markdown ? readinessMarkdown(value) : readinessText(value, ui, told)),
    next: markdown ? [] : nextOf(value, options),
    exitCode: isBroken ? 2 : learning && options.strict === true ? 1 : 0,
  };
};

type Words = Pick<DoubtsRequest, "accept" | "reject" | "forget" | "reason">;

/** Absent: nothing was said. */
function wordsOf(options: ReadinessOptions): Words | undefined {
  const { accept = [], reject = [], forget = [], reason = "" } = options;
  if (accept.length + reject.length + forget.length === 0) {
    if (reason === "") return undefined;
    throw badInput("`--reason` is about a doubtful edge", "give `--accept` or `--reject` with it");
  }
  return { accept: [...accept], reject: [...reject], forget: [...forget], reason };
}

function commandOf(verb: "readiness" | "suggest", options: ReadinessOptions): string {
  return [verb, ...fileOf(options)].join(" ");
}

/** Whatever comes after a file of flows has to be asked of the same. */
function fileOf({ flows, format }: ReadinessOptions): readonly string[] {
  return [
    ["--flows", flows],
    ["--format", format],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${shellWord(value)}`]));
}

async function ask(
  context: Context,
  level: ReadinessAnswer["level"],
  words: Words | undefined,
): Promise<ReadinessAnswer> {
  const client = await context.client();
  if (words !== undefined) {
    await withProgress(context, "recording what was said", () =>
      client.call("answerDoubts", { ...words, author: authorOf(context) }),
    );
  }
  return withProgress(context, "studying history", () => client.call("readiness", { level }));
}

/** From a file of flows, with no daemon and no root: as of its end, and without what only a machine knows to be coming. */
async function fromFlows(
  context: Context,
  file: string,
  {
    format,
    level,
    words = {},
  }: Pick<ReadinessOptions, "format"> & {
    readonly level: ReadinessAnswer["level"];
    readonly words: Partial<Words> | undefined;
  },
): Promise<{ readonly answer: ReadinessAnswer; readonly isBroken: boolean }> {
  const { accept = [], reject = [], forget = [] } = words;
  if (forget.length > 0) {
    throw badInput("of a file nothing is remembered", "leave out `--forget`");
  }
  const [{ readExport, recordedReadiness }, { importRemarks }, learn] = await Promise.all([
    import("../suggest/offline.ts"),
    import("../views/import.ts"),
    import("@bulkhead/learn"),
  ]);
  const { imported, ours, isBroken } = await withProgress(context, "reading flows", () =>
    readExport(context, file, format),
  );
  if (ours.length > 0) {
    throw badInput(
      `\`${file}\` holds edges that were summed up, and no longer tells on which days`,
      "give single flows: `bulkhead observe --follow -o json` writes them",
    );
  }
  for (const remark of importRemarks({ imported, blurred: 0 }, context.ui)) {
    context.stderr.write(`${remark}\n`);
  }
  const { histories, inventory } = imported;
  const said = [...accept, ...reject];
  if (said.length > 0) {
    const { doubts } = learn.weighHistories(histories, inventory);
    const nobody = said.find((one) => learn.doubtNamed(one, doubts) === undefined);
    if (nobody !== undefined) {
      throw badInput(
        `nothing that is doubtful is called \`${nobody}\``,
        "without it `bulkhead readiness` names what waits for a word",
      );
    }
  }
  const input = recordedReadiness(histories, inventory, level);
  return { answer: learn.readinessReport(input, {}, { accept, reject }), isBroken };
}

/** By whole names, or without their namespace where that is clear. */
function only(
  names: readonly string[],
  { subjects, level }: ReadinessAnswer,
): ReadinessAnswer["subjects"] {
  const all = subjects.map(({ subject }) => subject.name);
  const wanted = names.map((name) => {
    const found = all.filter((one) => one === name || one.endsWith(`/${name}`));
    const [one] = found.includes(name) ? [name] : found;
    if (one !== undefined && (found.length === 1 || one === name)) return one;
    if (found.length > 1) {
      throw badInput(`\`${name}\` may be ${found.join(" or ")}`, "give the whole name");
    }
    const near = nearest(name, all);
    throw badInput(
      `no ${level} is called \`${name}\``,
      near === undefined ? "`bulkhead readiness` lists them" : `did you mean \`${near}\`?`,
    );
  });
  return subjects.filter(({ subject }) => wanted.includes(subject.name));
}

/** What was seen is enough for a suggestion as soon as anybody is ready; else there is nothing to do but to look, which no file does. */
function nextOf(answer: ReadinessAnswer, options: ReadinessOptions): readonly string[] {
  const { accept = [] } = options.flows === undefined ? {} : options;
  if (answer.subjects.some(({ state }) => state !== "learning")) {
    const accepted = accept.map((edge) => `--accept ${shellWord(edge)}`);
    return [["suggest", ...fileOf(options), ...accepted, "-f policy.yaml"].join(" ")];
  }
  if (isAllSetAside(answer)) return [commandOf("suggest", options)];
  return options.flows === undefined ? ["observe --follow"] : [];
}
