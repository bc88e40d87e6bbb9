/**
 * What every offline verb begins with: files, folders or standard input to a desk, and on stderr what is wrong with them.
 * One broken document does not keep the others from being read; but the exit code tells that the answer is not of the whole.
 */
import { hasErrors, type Diagnostic } from "@bulkhead/model";
import { openDesk, type Desk, type DeskOptions } from "@bulkhead/workbench/desk";
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

export async function openDeskOf(
  context: Context,
  paths: readonly string[],
  options: OfflineOptions,
): Promise<OpenedDesk> {
  const { input, text } = parseLimits(options.limit ?? []);
  const reading: DeskOptions = {
    now: context.now(),
    limits: text,
    hostNetwork: oneOf("--host-network", options.hostNetwork ?? "node", HOST_NETWORK),
    ipBlockMatchesWorkloads: oneOf("--ip-block", options.ipBlock ?? "world", IP_BLOCK) === "any",
  };
  const files = await readPolicyFiles(context, paths, input);
  const desk = openDesk(files, reading);
  tell(context, desk);
  return { desk, exitCode: (own) => (hasErrors(desk.diagnostics) ? 2 : own) };
}

/** What says nothing about the network is most of a folder, and nobody asked. */
function tell(context: Context, { diagnostics, files }: Desk): void {
  const shown = diagnostics.filter(({ severity }) => severity !== "info");
  if (shown.length === 0) return;
  if (context.format === "json" || context.format === "yaml") {
    for (const one of shown) context.stderr.write(`${JSON.stringify(one satisfies Diagnostic)}\n`);
  } else context.stderr.write(`${diagnosticsText(shown, files, context.ui)}\n`);
}

function oneOf<T extends string>(option: string, given: string, known: readonly T[]): T {
  const found = known.find((one) => one === given);
  if (found === undefined) {
    throw badInput(`\`${option} ${given}\` is not known`, `use ${known.join(" or ")}`);
  }
  return found;
}
