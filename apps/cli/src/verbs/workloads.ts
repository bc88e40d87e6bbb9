/** `bulkhead workloads`: who is there, with which labels and in which mode. */
import type { CommonOptions } from "../context.ts";
import { workloadsText } from "../views/workloads.ts";
import { withProgress } from "../progress.ts";
import type { Verb } from "./verb.ts";

export interface WorkloadsOptions extends CommonOptions {
  readonly namespace?: readonly string[];
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
  return {
    value,
    text: (ui) => workloadsText(value, ui),
    next: value.workloads.length === 0 ? ["status"] : ["observe --follow"],
    exitCode: 0,
  };
};
