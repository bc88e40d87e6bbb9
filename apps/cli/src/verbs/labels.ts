/**
 * `bulkhead labels lint`: labels that do not say what they should, in a folder, or of everybody here by what they were seen to do.
 * What it proposes is for a person to look at: labels decide policy. With `--fix` it writes what an Inventory of the folder can
 * be mended in, and says of the rest where a person has to.
 */
import { formatSpan, type Edge, type Inventory } from "@bulkhead/model";
import { openDesk } from "@bulkhead/workbench/desk";
import {
  diagnosticOf,
  fixLabels,
  labelFindings,
  lintLabels,
  type LabelFinding,
} from "@bulkhead/workbench/labels";
import { lintDesk, unifiedDiff, type FixedFile } from "@bulkhead/workbench/lint";
import { refuseLoneFormat } from "../arguments.ts";
import type { Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { exitCodeOf, lintOptions, type FindingOptions } from "../offline/findings.ts";
import { orNameFolder } from "../offline/in-force.ts";
import { parseLimits } from "../offline/limits.ts";
import { readingOf, tellProblems } from "../offline/open.ts";
import { readRecorded } from "../offline/recorded.ts";
import { withProgress } from "../progress.ts";
import { save } from "../save.ts";
import { count } from "../ui/words.ts";
import { findingsFormat, type FindingsAnswer } from "../views/findings/formats.ts";
import type { Verb } from "./verb.ts";

export interface LabelsOptions extends FindingOptions {
  readonly flows?: string;
  readonly format?: string;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
}

interface Estate {
  readonly inventory: Inventory;
  readonly edges: readonly Edge[];
  readonly files: readonly { readonly name: string; readonly text: string }[];
  /** Of reading. */
  readonly exitCode: ExitCode;
}

export const labels: Verb<LabelsOptions> = async (context, [task, ...paths], options) => {
  refuseLoneFormat(options);
  if (task !== "lint") {
    throw badInput(`\`${task}\` is not something to do with labels`, "use lint");
  }
  const judging = lintOptions(options);
  refuseFix(paths, options);
  const read =
    paths.length > 0 ? await ofFolder(context, paths, options) : await ofHere(context, options);
  const fixed = options.fix === true ? await fix(context, read, options, judging.disabled) : [];
  if (options.dryRun === true) return read.exitCode;
  const estate = fixed.length === 0 ? read : await ofFolder(context, paths, options, read.edges);
  const findings = lintLabels(estate.inventory, estate.edges, judging);
  const answer: FindingsAnswer = { findings };
  const failed = findings.some(({ severity }) => severity === "error");
  return {
    value: answer,
    text: (ui) => findingsFormat(options.output)({ findings, files: estate.files }, ui),
    next: [],
    exitCode: estate.exitCode === 0 && failed ? 1 : estate.exitCode,
  };
};

function refuseFix(paths: readonly string[], { fix: isFix, dryRun }: LabelsOptions): void {
  if (dryRun === true && isFix !== true) throw badInput("`--dry-run` goes with `--fix`");
  if (isFix !== true) return;
  if (paths.length === 0) {
    throw badInput(
      "labels of everybody here cannot be fixed in a file",
      "bulkhead labels lint policies/ --fix; or `bulkhead label`, one by one",
    );
  }
  if (paths.includes("-") && dryRun !== true) {
    throw badInput("standard input cannot be fixed", "add --dry-run to see what would change");
  }
}

/** The difference is told before anything is written. Those files that changed. */
async function fix(
  context: Context,
  { inventory, edges, files }: Estate,
  options: LabelsOptions,
  disabled: readonly string[],
): Promise<readonly FixedFile[]> {
  const { stdout, stderr } = context;
  const reading = readingOf(context, options);
  const findings = labelFindings(inventory, edges).filter(({ code }) => !disabled.includes(code));
  const { files: fixed, left } = fixLabels(files, findings, reading);
  const isDry = options.dryRun === true;
  // Standard output is for the findings, which may be data.
  (isDry ? stdout : stderr).write(fixed.map(unifiedDiff).join(""));
  if (!isDry) for (const { name, text } of fixed) await save({ file: name, flag: "w" }, text);
  for (const one of fixed) {
    const done = isDry ? "would be made" : "made";
    stderr.write(`${one.name}: ${count(one.edits.length, "change")} of labels ${done}\n`);
  }
  for (const one of left) stderr.write(`left to you: ${leftText(one)}\n`);
  for (const text of newFindings(files, fixed, context, options)) stderr.write(`${text}\n`);
  return fixed;
}

function leftText(finding: LabelFinding): string {
  const { message, help } = diagnosticOf(finding);
  return help === undefined ? message : `${message}: ${help}`;
}

/** Selectors that named the old words find nobody now. */
function newFindings(
  before: Estate["files"],
  fixed: readonly FixedFile[],
  context: Context,
  options: LabelsOptions,
): readonly string[] {
  if (fixed.length === 0) return [];
  const after = new Map(fixed.map(({ name, text }) => [name, text]));
  const found = (files: Estate["files"]) =>
    lintDesk(openDesk(files, readingOf(context, options)), { now: context.now() });
  const known = new Set(found(before).map(({ code, message }) => `${code} ${message}`));
  return found(before.map(({ name, text }) => ({ name, text: after.get(name) ?? text })))
    .filter(({ code, message }) => !known.has(`${code} ${message}`))
    .map((one) => `after this: ${formatSpan(one.span)}: ${one.code} ${one.message}`);
}

/** `edges`: as they were read already. */
async function ofFolder(
  context: Context,
  paths: readonly string[],
  options: LabelsOptions,
  edges?: Estate["edges"],
): Promise<Estate> {
  const files = await readPolicyFiles(context, paths, parseLimits(options.limit ?? []).input);
  const desk = openDesk(files, readingOf(context, options));
  if (edges === undefined) tellProblems(context, desk);
  const recorded =
    edges !== undefined || options.flows === undefined
      ? undefined
      : await readRecorded(context, options.flows, options.format);
  return {
    inventory: desk.built.inventory,
    edges: edges ?? recorded?.edges ?? [],
    files,
    exitCode: recorded?.isBroken === true ? 2 : exitCodeOf(desk, []),
  };
}

async function ofHere(context: Context, options: LabelsOptions): Promise<Estate> {
  if (options.flows !== undefined) {
    throw badInput("`--flows` goes with a folder", "bulkhead labels lint policies/ --flows FILE");
  }
  const client = await context.client();
  const [{ workloads, hostAddresses }, { edges }] = await orNameFolder(
    "labels lint policies/",
    () =>
      withProgress(context, "studying who does what", () =>
        Promise.all([client.call("workloads", {}), client.call("edges", {})]),
      ),
  );
  return {
    inventory: {
      workloads: workloads.map(({ id, namespace, name, kind, labels: borne, addresses }) => ({
        id,
        namespace,
        name,
        kind,
        labels: borne,
        addresses,
        namedPorts: [],
        hostNetwork: false,
      })),
      namespaces: [],
      hostAddresses,
    },
    edges: edges.filter(({ probe }) => probe !== true),
    files: [],
    exitCode: 0,
  };
}
