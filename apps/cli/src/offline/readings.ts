/** Says aloud how an answer reads what Kubernetes leaves open, where the files hold any of it. */
import { untoldOf, type Connectivity, type Desk } from "@bulkhead/workbench/desk";
import type { Context } from "../context.ts";
import { count, list } from "../ui/words.ts";
import type { OfflineOptions } from "./options.ts";

/** Pods on their node's network, listed as if policies governed them. */
export function warnOfReading(
  { stderr, ui }: Context,
  { workloads, index, set }: Desk,
  options: OfflineOptions,
): void {
  if (options.hostNetwork !== undefined) return;
  const shared = [...workloads.values()].filter(
    ({ id, hostNetwork }) => hostNetwork && index.workloads.has(id),
  );
  const judged = set.stages.some(({ blocks }) => blocks.length > 0);
  if (shared.length === 0 || !judged) return;
  stderr.write(
    `${ui.style.yellow("warning:")} ${count(shared.length, "workload")} on the node's network listed as other pods; most networks do not hold policies against them (\`--host-network node\` for that)\n`,
  );
}

/** One line stands for pods that policies tell apart. */
export function warnOfTorn({ stderr, ui }: Context, { torn }: Connectivity): void {
  if (torn.length === 0) return;
  stderr.write(
    `${ui.style.yellow("warning:")} policies tell pods of one owner apart by their labels: lines of ${list(torn, 3)} hold for some of its pods\n`,
  );
}

/** A way in that is written down and cannot be gone is seldom what was meant. */
export function warnOfBarred({ stderr, ui }: Context, { barred }: Connectivity): void {
  for (const { by, workload } of barred) {
    stderr.write(
      `${ui.style.yellow("warning:")} \`${by}\` leads to ${workload}, and no policy lets an ingress controller that nobody knows reach it there: not listed\n`,
    );
  }
}

/** Lists know addresses and ports. */
export function warnOfUntold({ stderr, ui }: Context, { set, workloads }: Desk): void {
  const { conditional } = untoldOf(set);
  const told = [
    ...(conditional === 0
      ? []
      : [`${count(conditional, "rule")} with conditions beyond address and port: taken to be met`]),
    ...(workloads.size > 0 ? [] : ["no workload in these files"]),
  ];
  for (const one of told) stderr.write(`${ui.style.yellow("warning:")} ${one}\n`);
}

/** What is permitted beside the lines: a reader who takes them for all would be wrong. */
export function warnOfMore({ stderr, ui }: Context): void {
  stderr.write(
    `${ui.style.yellow("warning:")} more is permitted than lines can tell, over IPv6 or other protocols than TCP, UDP and SCTP: \`-o json\` tells all\n`,
  );
}
