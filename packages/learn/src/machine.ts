/**
 * The machine's own processes among the workloads, and what systemd's tree says of them. An Inventory's or an agent's word that
 * it is a process counts, and of those who are gone the label that units alone bear; never a label of a pod or a container.
 */
import type { Inventory, Labels } from "@bulkhead/model";
import type { Member } from "./groups.ts";

export const UNIT_KEY = "bulkhead.dev/unit";
export const SLICE_KEY = "bulkhead.dev/slice";
/** Whose slice it is. */
export const USER_KEY = "bulkhead.dev/user";

/** Labels by workload. */
export type MachineProcesses = ReadonlyMap<string, Labels>;

export function namespacesOf(processes: MachineProcesses): ReadonlySet<string> {
  return new Set([...processes.keys()].map((id) => id.slice(0, id.indexOf("/"))));
}

export function machineProcesses(
  members: readonly Member[],
  inventory: Inventory,
): MachineProcesses {
  const kinds = new Map(inventory.workloads.map(({ id, kind }) => [id, kind]));
  return new Map(
    members.flatMap(({ id, labels }) => {
      const kind = kinds.get(id);
      const own = kind === undefined ? Object.hasOwn(labels, UNIT_KEY) : kind === "process";
      return own ? [[id, labels] as const] : [];
    }),
  );
}
