/**
 * What every offline verb begins with: files, folders or standard input to a desk, and on stderr what is wrong with them.
 * One broken document does not keep the others from being read; but the exit code tells that the answer is not of the whole.
 */
import { dirname } from "node:path";
import { DIAGNOSTICS, hasErrors, type Diagnostic } from "@bulkhead/model";
import {
  openDesk,
  type Desk,
  type DeskOptions,
  type HostNetworkReading,
} from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { diagnosticsText } from "../views/diagnostics.ts";
import { parseLimits } from "./limits.ts";
import { HOST_NETWORK, IP_BLOCK, type OfflineOptions } from "./options.ts";

export interface OpenedDesk {
  readonly desk: Desk;
  /** What the verb's own exit code becomes: 2 where something could not be read. */
  exitCode(own: ExitCode): ExitCode;
}

/** `hostNetwork`: the verb's usual reading of it. */
export async function openDeskOf(
  context: Context,
  paths: readonly string[],
  options: OfflineOptions,
  hostNetwork: HostNetworkReading = "node",
): Promise<OpenedDesk> {
  const { input } = parseLimits(options.limit ?? []);
  const files = await readPolicyFiles(context, paths, input);
  return opened(context, openDesk(files, readingOf(context, options, hostNetwork)));
}

/** As `openDeskOf`, and without paths of what is in force here; `typed` is how the verb is given a folder. */
export async function openDeskOrHere(
  context: Context,
  paths: readonly string[],
  options: OfflineOptions,
  typed: string,
  hostNetwork: HostNetworkReading = "node",
): Promise<OpenedDesk> {
  if (paths.length > 0) return openDeskOf(context, paths, options, hostNetwork);
  const { readInForce } = await import("./in-force.ts");
  const { files, reading } = await readInForce(context, options, typed);
  return opened(context, openDesk(files, { ...readingOf(context, options), ...reading }));
}

/** A folder as if it were all that is in force here: its policies, and who is here. */
export async function openDeskOverHere(
  context: Context,
  path: string,
  options: OfflineOptions,
  typed: string,
): Promise<OpenedDesk> {
  const { input } = parseLimits(options.limit ?? []);
  const files = await readPolicyFiles(context, [path], input);
  const reading = readingOf(context, options);
  const { overHere } = await import("./over-here.ts");
  const over = await overHere(context, openDesk(files, reading), typed);
  return opened(
    context,
    openDesk([...files, over.everybody], { ...reading, leaveOut: over.leaveOut }),
  );
}

function opened(context: Context, desk: Desk): OpenedDesk {
  tellProblems(context, desk);
  return { desk, exitCode: (own) => (hasErrors(desk.diagnostics) ? 2 : own) };
}

/** How the files are read, as the options have it. */
export function readingOf(
  context: Pick<Context, "now">,
  options: OfflineOptions,
  hostNetwork: HostNetworkReading = "node",
): DeskOptions {
  return {
    now: context.now(),
    limits: parseLimits(options.limit ?? []).text,
    hostNetwork: oneOf("--host-network", options.hostNetwork ?? hostNetwork, HOST_NETWORK),
    ipBlockMatchesWorkloads: oneOf("--ip-block", options.ipBlock ?? "world", IP_BLOCK) === "any",
  };
}

const ONE_FOLDER =
  "Files that declare the same things are read one folder at a time; `bulkhead diff DIR1 DIR2` compares two.";

/** Declared twice, and the first time in another folder: most likely two versions of one set were read as one. */
function isOfAnotherVersion({ code, span, help }: Diagnostic): boolean {
  const [, first] = /^first at (.*):\d+:\d+$/.exec(help ?? "") ?? [];
  return code === "BH0108" && first !== undefined && dirname(first) !== dirname(span.file);
}

/** Errors whole; warnings once each with their first place and a count, for they are what another question is about. */
export function tellProblems(
  { stderr, format, ui }: Context,
  { diagnostics, files }: Pick<Desk, "diagnostics" | "files">,
): void {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (format === "json") {
    const shown = diagnostics.filter(({ severity }) => severity !== "info");
    for (const one of shown) stderr.write(`${JSON.stringify(one)}\n`);
    return;
  }
  if (errors.length > 0) stderr.write(`${diagnosticsText(errors, files, ui)}\n`);
  if (errors.some(isOfAnotherVersion)) stderr.write(`${ONE_FOLDER}\n`);
  const warnings = diagnostics.filter(({ severity }) => severity === "warning");
  const byCode = Map.groupBy(warnings, ({ code }) => code);
  for (const [code, [first, ...others]] of [...byCode].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const title = DIAGNOSTICS.get(code)?.title ?? "";
    const place = `${first!.span.file}:${first!.span.line}`;
    const where = others.length === 0 ? place : `${others.length + 1} times, first at ${place}`;
    stderr.write(`${ui.style.yellow("warning")} ${code}: ${title} (${where})\n`);
  }
}

function oneOf<T extends string>(option: string, given: string, known: readonly T[]): T {
  const found = known.find((one) => one === given);
  if (found === undefined) {
    throw badInput(`\`${option} ${given}\` is not known`, `use ${known.join(" or ")}`);
  }
  return found;
}
