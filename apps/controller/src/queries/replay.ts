/** What a policy would have meant for everything on record, and what it changes besides: the API's view of both. */
import type { PlanAnswer, ReplayAnswer } from "@bulkhead/api";
import { diffSets, replay, type Connection, type ReachGroup } from "@bulkhead/engine";
import { recogniseEnds } from "@bulkhead/learn";
import {
  formatIp,
  formatPorts,
  GROUP_RANGES,
  rangeToCidrs,
  type Diagnostic,
  type Edge,
  type IpFamily,
  type PolicySet,
} from "@bulkhead/model";
import type { World } from "../world/world.ts";

export interface ReplayInput {
  readonly edges: readonly Edge[];
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** As it would be with the change. */
  readonly world: World;
  readonly now: number;
  readonly revision: number;
  readonly since?: number;
  readonly until?: number;
  readonly diagnostics: readonly Diagnostic[];
}

export function replayAnswer({
  edges,
  before,
  after,
  world,
  now,
  ...more
}: ReplayInput): ReplayAnswer {
  // Spoofed and broken packets never were connections.
  const real = edges.filter((edge) => edge.verdict !== "spoofed" && edge.verdict !== "error");
  // What was seen before anybody had given it labels is judged as who it is now.
  const known = recogniseEnds(real, world.inventory);
  const { newlyDenied, newlyAllowed, unchanged } = replay(before, after, known, world.index, now);
  return {
    revision: more.revision,
    ...(more.since === undefined ? {} : { since: more.since }),
    ...(more.until === undefined ? {} : { until: more.until }),
    edges: real.length,
    connections: real.reduce((sum, edge) => sum + edge.connections, 0),
    newlyDenied: [...newlyDenied],
    newlyAllowed: [...newlyAllowed],
    unchanged,
    diagnostics: [...more.diagnostics],
  };
}

export function permittedDiff(
  before: PolicySet,
  after: PolicySet,
  world: World,
  now: number,
): PlanAnswer["permitted"] {
  const { added, removed } = diffSets(before, after, world.index, now);
  return { added: added.map(connectionView), removed: removed.map(connectionView) };
}

function connectionView({ from, to, ports }: Connection): PlanAnswer["permitted"]["added"][number] {
  return { from: groupName(from), to: groupName(to), ports: formatPorts(ports) };
}

const SHOWN = 5;

function firstGroupOf(family: IpFamily): bigint {
  const [first] = GROUP_RANGES.filter((range) => range.family === family);
  return first!.first;
}

function groupName(group: ReachGroup): string {
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
      const texts = group.ranges.flatMap((range) => {
        const cidrs = rangeToCidrs(range);
        return cidrs.length > 4
          ? [`${formatIp(range.family, range.first)}-${formatIp(range.family, range.last)}`]
          : cidrs;
      });
      return `world (${shortened(texts)})`;
    }
  }
}

function shortened(words: readonly string[]): string {
  const rest = words.length - SHOWN;
  return rest > 0 ? `${words.slice(0, SHOWN).join(", ")} and ${rest} more` : words.join(", ");
}
