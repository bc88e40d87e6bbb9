/** `replay`, `plan`, `apply`: the verbs that take POLICY files. */
import { userInfo } from "node:os";
import type { ApplyAnswer, CanaryView, PolicyFileInput } from "@bulkhead/api";
import type { Diagnostic } from "@bulkhead/model";
import type { Answer } from "../answer.ts";
import { parseConfirm, parseSpan } from "../arguments.ts";
import type { CommonOptions, Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { withOrigins } from "../git-origin.ts";
import { readPolicyFiles } from "../input.ts";
import { orInterrupted } from "../interruption.ts";
import { withProgress } from "../progress.ts";
import { shellWord } from "../ui/shell.ts";
import { count } from "../ui/words.ts";
import { nearest } from "../ui/spell.ts";
import { applyText, planText, replayText } from "../views/policies.ts";
import { nextShare, parseCanary } from "./canary.ts";
import type { Verb } from "./verb.ts";

interface ReplayOptions extends CommonOptions {
  readonly since?: string;
  readonly until?: string;
  readonly prune?: boolean;
  readonly strict?: boolean;
  readonly mode?: string;
}

export interface ApplyOptions extends CommonOptions {
  readonly mode?: string;
  readonly prune?: boolean;
  readonly strict?: boolean;
  readonly confirm?: string;
  readonly canary?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly reason?: string;
}

export const replay: Verb<ReplayOptions> = async (context, args, options) => {
  const request = replayRequest(context, options);
  const files = await readPolicyFiles(context, args);
  const client = await context.client();
  const answer = await withProgress(context, "replaying recorded traffic", () =>
    withFiles(files, () => client.call("replay", { files, ...request })),
  );
  await warn(context, answer.diagnostics, files);
  const found = answer.affected.length > 0;
  return {
    value: answer,
    text: (ui) => replayText(answer, ui),
    next: [`plan ${again(args, options)}`],
    nextNote: noteFor(args),
    exitCode: exitFor(found),
  };
};

export const plan: Verb<ReplayOptions> = async (context, args, options) => {
  const request = replayRequest(context, options);
  const files = await readPolicyFiles(context, args);
  const client = await context.client();
  const answer = await withProgress(context, "planning", () =>
    withFiles(files, () => client.call("plan", { files, ...request })),
  );
  await warn(context, answer.diagnostics, files);
  const { resources, permitted, tests, capacity } = answer;
  const changed =
    resources.added.length + resources.changed.length + resources.removed.length > 0 ||
    permitted.added.length + permitted.removed.length > 0 ||
    tests.some((test) => !test.passed) ||
    !capacity.fits;
  return {
    value: answer,
    text: (ui) => planText(answer, ui),
    next: [
      !changed
        ? "status"
        : capacity.fits && tests.every((test) => test.passed)
          ? `apply ${again(args, options)}${opening(answer) ? ENFORCING : ""}`
          : `plan ${again(args, options)} -o wide`,
    ],
    nextNote: changed ? noteFor(args) : undefined,
    exitCode: exitFor(changed),
  };
};

const ENFORCING = " --mode enforce --confirm 60s";

/** Is it there to open something? Then auditing it changes nothing for anybody. */
function opening({ unopened = [] }: Pick<ApplyAnswer, "unopened">): boolean {
  return unopened.length > 0;
}

/** The daemon has the request: hanging up takes nothing back. */
export function changeGoesOn({ hint }: Context): string {
  return `the change goes on in the daemon; \`${hint("history")}\` shows it, \`${hint("rollback")}\` undoes it`;
}

export const apply: Verb<ApplyOptions> = async (context, args, options) => {
  const confirmSeconds = options.confirm === undefined ? undefined : parseConfirm(options.confirm);
  if (options.force === true && (options.reason ?? "") === "") {
    throw badInput("`--force` needs a reason", "add --reason 'why this is safe'");
  }
  const mode = modeOf(options.mode, "audit");
  const canary = options.canary === undefined ? undefined : parseCanary(options.canary);
  if (canary !== undefined && mode !== "enforce") {
    throw badInput(
      "`--canary` is for what is enforced",
      "add `--mode enforce`; audit drops nothing in any case",
    );
  }
  const { files, problems } = await withOrigins(await readPolicyFiles(context, args));
  for (const problem of problems) context.stderr.write(`${context.ui.style.dim(problem)}\n`);
  const client = await context.client();
  const applying = withProgress(context, "applying", () =>
    withFiles(files, () =>
      client.call("apply", {
        files: [...files],
        mode,
        prune: options.prune === true,
        strict: options.strict === true,
        dryRun: options.dryRun === true,
        force: options.force === true,
        reason: options.reason ?? "",
        author: authorOf(context),
        ...(confirmSeconds === undefined ? {} : { confirmSeconds }),
        ...(canary === undefined ? {} : { canary }),
      }),
    ),
  );
  const answer = await orInterrupted(
    context.signal,
    applying,
    options.dryRun === true ? "nothing is changed by a dry run" : changeGoesOn(context),
  );
  await warn(context, answer.diagnostics, files);
  return {
    value: answer,
    text: (ui) => applyText(answer, ui),
    ...applyNext(answer, args, { ...options, mode }),
    comment: answer.dryRun,
    exitCode: 0,
  };
};

/** Remembers the files of a call, so that diagnostics in its failure can be shown with their lines. */
const sources = new WeakMap<Error, readonly PolicyFileInput[]>();

export function sourcesOf(error: Error): readonly PolicyFileInput[] {
  return sources.get(error) ?? [];
}

async function withFiles<T>(files: readonly PolicyFileInput[], call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const told = (await wrongAnyway(error, files)) ?? error;
    if (told instanceof Error) sources.set(told, files);
    throw told;
  }
}

/** Nobody who is not there is needed to see that a text cannot be read. */
async function wrongAnyway(
  error: unknown,
  files: readonly PolicyFileInput[],
): Promise<Error | undefined> {
  const { ApiFailure } = await import("@bulkhead/api");
  if (!(error instanceof ApiFailure)) return undefined;
  if (error.code !== "not-running" && error.code !== "no-permission") return undefined;
  const [{ parseFiles }, { hasErrors }] = await Promise.all([
    import("@bulkhead/dialects"),
    import("@bulkhead/model"),
  ]);
  const { diagnostics } = parseFiles(files.map(({ name, text }) => ({ name, text })));
  if (!hasErrors(diagnostics)) return undefined;
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  return new ApiFailure(
    "bad-policy",
    `${count(errors, "error")}, found before any controller was asked`,
    {
      diagnostics,
    },
  );
}

async function warn(
  context: Context,
  diagnostics: readonly Diagnostic[],
  files: readonly PolicyFileInput[],
): Promise<void> {
  if (diagnostics.length === 0 || context.format === "json" || context.format === "yaml") return;
  const { diagnosticsText } = await import("../views/diagnostics.ts");
  context.stderr.write(`${diagnosticsText(diagnostics, files, context.ui)}\n`);
}

function replayRequest(context: Context, options: ReplayOptions) {
  const now = context.now();
  return {
    prune: options.prune === true,
    strict: options.strict === true,
    mode: modeOf(options.mode, "enforce"),
    ...parseSpan(options, now),
  };
}

function applyNext(
  answer: {
    readonly dryRun: boolean;
    readonly changed: boolean;
    readonly confirmBy?: number | undefined;
    readonly canary?: CanaryView | undefined;
    readonly revision: number;
    readonly unopened?: ApplyAnswer["unopened"];
  },
  args: readonly string[],
  options: ApplyOptions & { readonly mode: "audit" | "enforce" },
): Pick<Answer, "next" | "nextNote"> {
  const files = again(args, options);
  const nextNote = noteFor(args);
  if (answer.dryRun) {
    const { mode, canary, confirm, force, reason } = options;
    const flags = [
      ...(mode === "enforce" ? [" --mode enforce"] : []),
      ...(canary === undefined ? [] : [` --canary ${shellWord(canary)}`]),
      ...(confirm === undefined ? [] : [` --confirm ${shellWord(confirm)}`]),
      ...(force === true ? [" --force"] : []),
      ...(reason === undefined ? [] : [` --reason ${shellWord(reason)}`]),
    ];
    return { next: [`apply ${files}${flags.join("")}`], nextNote };
  }
  if (answer.confirmBy !== undefined) return { next: ["confirm", "probe"] };
  if (!answer.changed && !opening(answer)) return { next: ["status"] };
  if (options.canary !== undefined && answer.canary !== undefined) {
    const share = nextShare(answer.canary.share);
    const next = ["observe --verdict audit", `apply ${files} --mode enforce --canary ${share}`];
    return { next, nextNote };
  }
  if (options.mode !== "audit") return { next: ["probe"] };
  const audited = ["observe --verdict audit", `apply ${files}${ENFORCING}`];
  return { next: opening(answer) ? audited.toReversed() : audited, nextNote };
}

/** The same files, and what of the options means the same to the next verb. */
function again(
  args: readonly string[],
  { prune, strict }: { readonly prune?: boolean; readonly strict?: boolean },
): string {
  const flags = [...(prune === true ? ["--prune"] : []), ...(strict === true ? ["--strict"] : [])];
  return [...args.map(shellWord), ...flags].join(" ");
}

/** Standard input is read once: whoever types the next command has to give it again. */
function noteFor(args: readonly string[]): string | undefined {
  return args.includes("-")
    ? "with the same text on standard input again, or saved to a file that you name"
    : undefined;
}

export function modeOf(typed: string | undefined, usual: "audit" | "enforce"): "audit" | "enforce" {
  if (typed === undefined) return usual;
  if (typed === "audit" || typed === "enforce") return typed;
  const near = nearest(typed, ["audit", "enforce"]);
  throw badInput(
    `\`${typed}\` is not a mode`,
    near === undefined ? "use audit or enforce" : `did you mean \`${near}\`?`,
  );
}

/** Who did it, for the log: the person behind sudo where there is one. */
export function authorOf(context: Pick<Context, "env">): string {
  return context.env["SUDO_USER"] || userInfo().username;
}

function exitFor(found: boolean): ExitCode {
  return found ? 1 : 0;
}
