/**
 * `bulkhead labels lint`: labels that do not say what they should, in a folder, or of everybody here by what they were seen to do.
 * What it proposes is for a person to look at: labels decide policy.
 */
import type { Edge, Inventory } from "@bulkhead/model";
import { openDesk } from "@bulkhead/workbench/desk";
import { lintLabels } from "@bulkhead/workbench/labels";
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
import { findingsFormat, type FindingsAnswer } from "../views/findings/formats.ts";
import type { Verb } from "./verb.ts";

export interface LabelsOptions extends FindingOptions {
  readonly flows?: string;
  readonly format?: string;
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
  const estate =
    paths.length > 0 ? await ofFolder(context, paths, options) : await ofHere(context, options);
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

async function ofFolder(
  context: Context,
  paths: readonly string[],
  options: LabelsOptions,
): Promise<Estate> {
  const files = await readPolicyFiles(context, paths, parseLimits(options.limit ?? []).input);
  const desk = openDesk(files, readingOf(context, options));
  tellProblems(context, desk);
  const recorded =
    options.flows === undefined
      ? undefined
      : await readRecorded(context, options.flows, options.format);
  return {
    inventory: desk.built.inventory,
    edges: recorded?.edges ?? [],
    files,
    exitCode: exitCodeOf(desk, []),
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
