/**
 * The machine's own resolver: whoever of its processes was quiet while somebody watched asks it too, one day. Confined in whom it
 * hears, it would answer nobody else, and so it is left open; who asks it has a rule at its own end.
 */
import type { Relation } from "./ends.ts";
import type { MachineProcesses } from "./machine.ts";
import { DNS_PORT } from "./purpose.ts";

/** Processes of the machine that have answered others of it on DNS's port. */
export function ownResolvers(
  relations: readonly Relation[],
  processes: MachineProcesses,
): ReadonlySet<string> {
  return new Set(
    relations.flatMap(({ source, destination, port, edges }) => {
      if (port !== DNS_PORT || source.kind !== "group" || destination.kind !== "group") return [];
      const asked = source.group.members.some((id) => processes.has(id));
      const answered = edges.some(({ established }) => established > 0);
      return asked && answered ? destination.group.members.filter((id) => processes.has(id)) : [];
    }),
  );
}
