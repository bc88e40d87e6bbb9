/** What no rule may let in by being joined with another: what was set aside, in the words of rules, and whoever is suspicious. */
import type {
  FlaggedSource,
  FlowEnd,
  SetAside,
  SetAsideReason,
  SuggestedNetworkSet,
} from "@bulkhead/model";
import { sourceKey } from "./behaviour.ts";
import { setEnd } from "./ends.ts";
import type { Grouping } from "./groups.ts";
import { within } from "./outside.ts";

export interface KeptOut {
  readonly cells: readonly KeptCell[];
  /** Keys of ends. */
  readonly suspicious: ReadonlySet<string>;
}

/** By keys of ends. */
export interface KeptCell {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly port: number;
}

/** What is said of who did it, and not of whom it was done to. */
const SUSPICIOUS: ReadonlySet<SetAsideReason> = new Set([
  "scan",
  "flagged-source",
  "suspicious-source",
  "lone",
  "first-ever",
  "fan-out",
  "off-hours",
  "beacon",
]);

export function keptOut(
  setAside: readonly SetAside[],
  flagged: ReadonlyMap<string, FlaggedSource>,
  grouping: Grouping,
  networkSets: readonly SuggestedNetworkSet[],
): KeptOut {
  const keysOf = ({ workload, name, address }: FlowEnd): readonly string[] => {
    if (workload !== undefined) {
      const group = grouping.groupOf.get(workload);
      return group === undefined ? [] : [`group ${group.id}`];
    }
    if (name === "host") return ["host"];
    return [
      setEnd(name).key,
      ...networkSets
        .filter(({ cidrs }) => cidrs.some((cidr) => within(address, cidr)))
        .map((set) => setEnd(`${set.namespace}/${set.name}`).key),
    ];
  };
  const suspicious = new Set<string>();
  const cells = setAside.flatMap(({ edge, reason }) => {
    const { source, destination, protocol, port } = edge;
    const from = keysOf(source);
    const doubtful = SUSPICIOUS.has(reason) || flagged.has(sourceKey(edge));
    if (doubtful) for (const key of from) suspicious.add(key);
    const to = keysOf(destination);
    return from.flatMap((one) =>
      to.map((other) => ({ source: one, destination: other, protocol, port })),
    );
  });
  return { cells, suspicious };
}
