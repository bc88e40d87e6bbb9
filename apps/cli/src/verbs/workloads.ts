/** `bulkhead workloads`: who is there, with which labels and in which mode. */
import type { WorkloadsAnswer, WorkloadView } from "@bulkhead/api";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { workloadsText } from "../views/workloads.ts";
import { withProgress } from "../progress.ts";
import { list } from "../ui/words.ts";
import type { Verb } from "./verb.ts";

export interface WorkloadsOptions extends CommonOptions {
  readonly namespace?: readonly string[];
  readonly inventory?: boolean;
  readonly all?: boolean;
  readonly export?: boolean;
}

export const workloads: Verb<WorkloadsOptions> = async (context, _args, options) => {
  const client = await context.client();
  const answer = await withProgress(context, "reading workloads", () =>
    client.call("workloads", context.format === "human" ? {} : { running: "true" }),
  );
  const wanted = options.namespace;
  const named = answer.workloads.filter(
    (workload) => wanted === undefined || wanted.includes(workload.namespace),
  );
  if (options.export === true) return exported(context, { ...answer, workloads: named });
  const shown = options.all === true ? named : named.filter(({ idle }) => idle !== true);
  const value = { ...answer, workloads: shown };
  // Units have labels of the system's; what is drafted is for those without any.
  const undeclared = shown.filter(({ declared, kind }) => !declared && kind !== "process");
  if (options.inventory === true) return draft(context, undeclared);
  return {
    value,
    text: (ui) =>
      wanted !== undefined && named.length === 0 && answer.workloads.length > 0
        ? noneIn(wanted, answer.workloads)
        : workloadsText(value, ui, named.length - shown.length),
    next:
      value.workloads.length === 0
        ? ["status"]
        : undeclared.some((workload) => Object.keys(workload.labels).length === 0)
          ? ["workloads --inventory > inventory.yaml", "observe --follow"]
          : ["observe --follow"],
    exitCode: 0,
  };
};

function noneIn(wanted: readonly string[], all: readonly WorkloadView[]): string {
  const namespaces = [...new Set(all.map((workload) => workload.namespace))].toSorted();
  return `No workload is in namespace ${wanted.join(" or ")}. Namespaces there are: ${list(namespaces, 10)}.\n`;
}

/** Made for a file: what is known here, for deciding elsewhere. */
async function exported(context: Context, answer: WorkloadsAnswer): Promise<Answer> {
  const { inventoryExport } = await import("@bulkhead/workbench");
  const client = await context.client();
  const { profile } = await client.call("status", {});
  const text = inventoryExport({ ...answer, namespaces: answer.namespaces ?? [], profile });
  return { value: { text }, text: () => text, next: [], exitCode: 0 };
}

/** Made for a file: people correct it and apply it. */
async function draft(context: Context, undeclared: readonly WorkloadView[]): Promise<Answer> {
  const { inventoryDraft } = await import("@bulkhead/workbench");
  const text = inventoryDraft(undeclared);
  return {
    value: { text },
    text: () =>
      text === ""
        ? "# every workload is in an Inventory already\n"
        : `${text}# next: correct the labels, then ${context.hint("apply inventory.yaml")}\n`,
    next: [],
    exitCode: 0,
  };
}
