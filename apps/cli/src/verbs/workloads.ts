/** `bulkhead workloads`: who is there, with which labels and in which mode. */
import type { WorkloadView } from "@bulkhead/api";
import type { Answer } from "../answer.ts";
import type { CommonOptions, Context } from "../context.ts";
import { workloadsText } from "../views/workloads.ts";
import { withProgress } from "../progress.ts";
import { list } from "../ui/words.ts";
import type { Verb } from "./verb.ts";

export interface WorkloadsOptions extends CommonOptions {
  readonly namespace?: readonly string[];
  readonly inventory?: boolean;
}

export const workloads: Verb<WorkloadsOptions> = async (context, _args, options) => {
  const client = await context.client();
  const answer = await withProgress(context, "reading workloads", () =>
    client.call("workloads", {}),
  );
  const wanted = options.namespace;
  const value = {
    ...answer,
    workloads: answer.workloads.filter(
      (workload) => wanted === undefined || wanted.includes(workload.namespace),
    ),
  };
  const undeclared = value.workloads.filter((workload) => !workload.declared);
  if (options.inventory === true) return draft(context, undeclared);
  return {
    value,
    text: (ui) =>
      wanted !== undefined && value.workloads.length === 0 && answer.workloads.length > 0
        ? noneIn(wanted, answer.workloads)
        : workloadsText(value, ui),
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
