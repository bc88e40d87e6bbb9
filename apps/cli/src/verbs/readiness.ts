/**
 * `bulkhead readiness`: how complete the picture of everybody is, what it still waits for, and when it will be ready. Exit code
 * 1 with `--strict` while anybody is still learning.
 */
import type { ReadinessAnswer } from "@bulkhead/api";
import { refuseLoneFormat } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { withProgress } from "../progress.ts";
import { nearest } from "../ui/spell.ts";
import { isNobody, readinessMarkdown, readinessText } from "../views/readiness.ts";
import type { Verb } from "./verb.ts";

export interface ReadinessOptions extends CommonOptions {
  readonly level?: string;
  readonly flows?: string;
  readonly format?: string;
  readonly strict?: boolean;
}

/** As in `READINESS_LEVELS`, which costs more to load than the command line may take. */
export const LEVELS = ["workload", "group", "application"] as const;

export const readiness: Verb<ReadinessOptions> = async (context, names, options) => {
  refuseLoneFormat(options);
  const level = LEVELS.find((known) => known === (options.level ?? "group"));
  if (level === undefined) {
    throw badInput(`unknown level \`${options.level}\``, `use one of ${LEVELS.join(", ")}`);
  }
  const answer =
    options.flows === undefined
      ? await ask(context, level)
      : await fromFlows(context, options.flows, options.format, level);
  const value = names.length === 0 ? answer : { ...answer, subjects: only(names, answer) };
  const learning = value.subjects.some((one) => one.state === "learning" && !isNobody(one));
  const markdown = options.output === "md";
  return {
    value,
    text: (ui) => (markdown ? readinessMarkdown(value) : readinessText(value, ui)),
    next: markdown ? [] : [nextOf(value)],
    exitCode: learning && options.strict === true ? 1 : 0,
  };
};

async function ask(context: Context, level: ReadinessAnswer["level"]): Promise<ReadinessAnswer> {
  const client = await context.client();
  return withProgress(context, "studying history", () => client.call("readiness", { level }));
}

/** From a file of flows, with no daemon and no root: as of its end, and without what only a machine knows to be coming. */
async function fromFlows(
  context: Context,
  file: string,
  format: string | undefined,
  level: ReadinessAnswer["level"],
): Promise<ReadinessAnswer> {
  const [{ readExport, recordedReadiness }, { importRemarks }, { readinessReport }] =
    await Promise.all([
      import("../suggest/offline.ts"),
      import("../views/import.ts"),
      import("@bulkhead/learn"),
    ]);
  const { imported, ours } = await withProgress(context, "reading flows", () =>
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
  return readinessReport(recordedReadiness(histories, inventory, level));
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

/** What was seen is enough for a suggestion as soon as anybody is ready; else there is nothing to do but to look. */
function nextOf({ subjects }: ReadinessAnswer): string {
  return subjects.some(({ state }) => state !== "learning")
    ? "suggest -f policy.yaml"
    : "observe --follow";
}
