/**
 * Which process of the machine was at an end of a connection, for later news of it: those come when its socket may have gone.
 * Remembers a bounded number of connections, the newest.
 */
import type { EndHints } from "../world/naming.ts";
import type { ObservedRecord } from "@bulkhead/wire";

type Groups = Readonly<Record<"source" | "destination", Pick<EndHints, "cgroup">>>;

const MOST_REMEMBERED = 20_000;
const NOBODY: Pick<EndHints, "cgroup"> = {};

export interface EndMemory {
  /** Of both ends: what the record tells, or one before it. */
  groupsOf(record: ObservedRecord): Groups;
}

export function createEndMemory(limit = MOST_REMEMBERED): EndMemory {
  const known = new Map<string, Groups>();
  return {
    groupsOf(record) {
      const { source, sourcePort, destination, protocol, port } = record;
      const key = `${source} ${sourcePort} ${destination} ${protocol} ${port}`;
      // A new connection may have the ports of one before.
      const before = record.connections > 0 ? undefined : known.get(key);
      const told = (process: ObservedRecord["sourceProcess"], end: keyof Groups) =>
        process?.cgroup === undefined ? (before?.[end] ?? NOBODY) : { cgroup: process.cgroup };
      const groups: Groups = {
        source: told(record.sourceProcess, "source"),
        destination: told(record.destinationProcess, "destination"),
      };
      known.delete(key);
      if (groups.source === NOBODY && groups.destination === NOBODY) return groups;
      known.set(key, groups);
      if (known.size > limit) known.delete(known.keys().next().value ?? key);
      return groups;
    },
  };
}
