/**
 * What is in force on this machine, as a folder: the texts that were applied, each of their resources in its mode, and
 * everybody who is there in place of Inventories. Verbs that are given no folder ask it the same questions.
 */
import type { ApiClient, InForceAnswer, WorkloadsAnswer } from "@bulkhead/api";
import { inventoryExport, type ExportInput } from "@bulkhead/workbench";
import type { DeskOptions, HeldFiles } from "@bulkhead/workbench/desk";
import type { SourceFile } from "@bulkhead/dialects";
import type { Context } from "../context.ts";
import { badInput, CliFailure } from "../failure.ts";
import type { OfflineOptions } from "./options.ts";

export const EVERYBODY_FILE = "(everybody here)";

export interface FolderInForce {
  readonly files: readonly SourceFile[];
  readonly reading: Required<Pick<DeskOptions, "held">>;
}

/**
 * `verb`: as it is to be typed with a folder, for whoever has no controller. `judged`: policies are asked about, and where there are
 * none there is nothing to be content with.
 */
export async function readInForce(
  context: Context,
  options: OfflineOptions,
  verb: string,
  judged = false,
): Promise<FolderInForce> {
  refuseReadings(options);
  const client = await context.client();
  const [inForce, who] = await orNameFolder(verb, () =>
    Promise.all([client.call("inForce", {}), readEverybody(client)]),
  );
  if (judged && inForce.files.length === 0) {
    throw badInput("no policy is in force here", `name a folder: bulkhead ${verb}`);
  }
  warnOf(context, inForce);
  const { files, held } = filesOf(inForce);
  return {
    files: [...files, { name: EVERYBODY_FILE, text: inventoryExport(who) }],
    reading: { held },
  };
}

/** Who is on this machine, whatever policies there are. */
export async function readEverybody(client: ApiClient): Promise<ExportInput> {
  const [seen, { profile }] = await Promise.all([
    client.call("workloads", { running: "true" }),
    client.call("status", {}),
  ]);
  const { workloads, hostAddresses, namespaces = [] } = seen satisfies WorkloadsAnswer;
  return { workloads, hostAddresses, namespaces, profile };
}

/** Whoever has no daemon is told of the other way. */
export async function orNameFolder<T>(verb: string, ask: () => Promise<T>): Promise<T> {
  const { ApiFailure } = await import("@bulkhead/api");
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.code !== "not-running") throw error;
    throw new CliFailure(
      error.exitCode,
      error.message,
      `${error.help === undefined ? "" : `${error.help}; `}or ask a folder: bulkhead ${verb}`,
    );
  }
}

/** Of several versions of one file, each with something in force, those behind the first are called otherwise. */
function filesOf({ files }: InForceAnswer): { files: SourceFile[]; held: HeldFiles } {
  const held = new Map<string, ReadonlyMap<string, "audit" | "enforce">>();
  const named = files.map(({ name, text, resources }) => {
    let own = name;
    for (let version = 2; held.has(own); version++) own = `${name} (version ${version})`;
    held.set(own, new Map(resources.map((one) => [one.name, one.mode])));
    return { name: own, text };
  });
  return { files: named, held };
}

function warnOf({ stderr, ui }: Context, { files, canary }: InForceAnswer): void {
  const told = [
    ...(files.length === 0
      ? ["no policy is in force here: whatever is not denied is allowed"]
      : []),
    ...(canary === undefined
      ? []
      : [
          `a rollout is under way, for ${canary.share / 100} % of flows: what follows holds for these, and for all once it is settled`,
        ]),
  ];
  for (const one of told) stderr.write(`${ui.style.yellow("warning:")} ${one}\n`);
}

/** What a cluster leaves open is decided here, by what runs. */
function refuseReadings({ hostNetwork, ipBlock }: OfflineOptions): void {
  const [name] = [
    ...(hostNetwork === undefined ? [] : ["--host-network"]),
    ...(ipBlock === undefined ? [] : ["--ip-block"]),
  ];
  if (name === undefined) return;
  throw badInput(
    `\`${name}\` is about how files are read, and no folder is named`,
    "what is in force is asked as it is in force",
  );
}
