/** Which connections a change permits that were not, and the other way round, in the names that people have for both ends. */
import type { PlanAnswer } from "@bulkhead/api";
import { diffSets, type Connection, type ReachGroup } from "@bulkhead/engine";
import {
  cidrRange,
  formatIp,
  formatPorts,
  GROUP_RANGES,
  rangeToCidrs,
  type IpFamily,
  type IpRange,
  type PolicySet,
} from "@bulkhead/model";
import type { NamedSet } from "../world/naming.ts";
import { formerOf } from "../world/former.ts";
import type { World } from "../world/world.ts";

interface Side {
  readonly set: PolicySet;
  readonly networkSets: readonly NamedSet[];
}

export function permittedDiff(
  before: Side,
  after: Side,
  { was, world }: { readonly was: World; readonly world: World },
  now: number,
): PlanAnswer["permitted"] {
  const former = formerOf(was, world).index;
  const { added, removed } = diffSets(before.set, after.set, world.index, now, "live", former);
  const names = namesOf([...after.networkSets, ...before.networkSets]);
  const view = ({ from, to, ports }: Connection): PlanAnswer["permitted"]["added"][number] => ({
    from: groupName(from, names),
    to: groupName(to, names),
    ports: formatPorts(ports),
  });
  return { added: added.map(view), removed: removed.map(view) };
}

type Names = ReadonlyMap<string, string>;

/** The first set that has exactly this prefix gives it its name. */
function namesOf(sets: readonly NamedSet[]): Names {
  const names = new Map<string, string>();
  for (const { name, cidrs } of sets) {
    for (const cidr of cidrs) {
      const key = keyOf(cidrRange(cidr));
      if (!names.has(key)) names.set(key, name);
    }
  }
  return names;
}

function keyOf({ family, first, last }: IpRange): string {
  return `${family} ${first} ${last}`;
}

const SHOWN = 5;

function firstGroupOf(family: IpFamily): bigint {
  const [first] = GROUP_RANGES.filter((range) => range.family === family);
  return first!.first;
}

function groupName(group: ReachGroup, names: Names): string {
  switch (group.kind) {
    case "workloads":
      return shortened(group.workloads);
    case "host":
      return "host";
    case "world": {
      const everything = group.ranges.some(
        // Whatever comes below multicast is the world's, and above it there is none.
        ({ first, last, family }) => first === 0n && last >= firstGroupOf(family) - 1n,
      );
      if (everything || group.ranges.length > 16) return "world";
      const known = group.ranges.map((range) => names.get(keyOf(range)));
      const texts = [
        ...new Set(group.ranges.flatMap((range, index) => known[index] ?? rangeText(range))),
      ];
      return known.includes(undefined) ? `world (${shortened(texts)})` : shortened(texts);
    }
  }
}

function rangeText(range: IpRange): readonly string[] {
  const cidrs = rangeToCidrs(range);
  return cidrs.length > 4
    ? [`${formatIp(range.family, range.first)}-${formatIp(range.family, range.last)}`]
    : cidrs;
}

function shortened(words: readonly string[]): string {
  const rest = words.length - SHOWN;
  return rest > 0 ? `${words.slice(0, SHOWN).join(", ")} and ${rest} more` : words.join(", ");
}
