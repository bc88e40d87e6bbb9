/**
 * What a policy would have meant for everything on record: the API's view of it. History comes in parts and is not held:
 * what remains is whom the change affects.
 */
import type { ReplayAnswer } from "@bulkhead/api";
import { createReplay, type ReplayedEdge } from "@bulkhead/engine";
import { createRecognition } from "@bulkhead/learn";

import {
  cidrRange,
  DAY_MS,
  hostCidr,
  type Diagnostic,
  type Edge,
  type Flow,
  type PolicySet,
} from "@bulkhead/model";
import type { FlowFilter } from "@bulkhead/store";
import { createImpact, SAMPLES, withSamples } from "@bulkhead/workbench/impact";
import { formerOf } from "../world/former.ts";
import type { World } from "../world/world.ts";

interface Change {
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** As it is, and as it would be with the change. */
  readonly was: World;
  readonly world: World;
  readonly now: number;
}

export interface ReplayInput extends Change {
  readonly edges: AsyncIterable<readonly Edge[]> | Iterable<readonly Edge[]>;
  /** Single flows of an edge. */
  readonly samples: (recorded: Edge) => Promise<readonly Flow[]>;
  readonly revision: number;
  readonly since?: number;
  readonly until?: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Decides an edge as it was recorded. Null: it is decided alike, or never was a connection. */
export function createJudgement({
  before,
  after,
  was,
  world,
  now,
}: Change): (edge: Edge) => ReplayedEdge | null {
  // What was seen before anybody had given it labels is judged as who it is now.
  const former = formerOf(was, world);
  const [then, since] = [createRecognition(was.inventory), createRecognition(world.inventory)];
  const judge = createReplay({
    before,
    after,
    index: world.index,
    oldIndex: former.index,
    now,
    view: "live",
  });
  return (edge) => (isReal(edge) ? judge(since(former.renamed(then(edge)))) : null);
}

/** Spoofed and broken packets never were connections. */
function isReal({ verdict }: Edge): boolean {
  return verdict !== "spoofed" && verdict !== "error";
}

export async function replayAnswer({
  edges,
  samples,
  ...more
}: ReplayInput): Promise<ReplayAnswer> {
  const judge = createJudgement(more);
  const found = createImpact(more.world.inventory);
  let count = 0;
  let connections = 0;
  for await (const part of edges) {
    for (const edge of part) {
      if (!isReal(edge)) continue;
      count++;
      connections += edge.connections;
      found.add(judge(edge), edge);
    }
  }
  const impact = await withSamples(found.result(), samples);
  return {
    revision: more.revision,
    ...(more.since === undefined ? {} : { since: more.since }),
    ...(more.until === undefined ? {} : { until: more.until }),
    edges: count,
    connections,
    denied: impact.denied,
    allowed: impact.allowed,
    affected: [...impact.affected],
    newlyDenied: [...impact.newlyDenied],
    newlyAllowed: [...impact.newlyAllowed],
    unchanged: impact.unchanged,
    diagnostics: [...more.diagnostics],
  };
}

/** Its latest flows: an edge has no more of its last day than it had before, and a store finds a day at once. */
export function sampleFilter(
  edge: Edge,
  { since, until }: { readonly since?: number; readonly until?: number },
): FlowFilter {
  const { source, destination, protocol, port } = edge;
  const nobody = (end: Edge["source"]) => end.workload === undefined;
  return {
    probes: false,
    from: [source.name],
    to: [destination.name],
    ...(nobody(source) ? { fromIps: [cidrRange(hostCidr(source.address))] } : {}),
    ...(nobody(destination) ? { toIps: [cidrRange(hostCidr(destination.address))] } : {}),
    ports: [{ protocol, first: port, last: port }],
    verdicts: [edge.verdict],
    since: Math.max(since ?? 0, edge.lastSeen - DAY_MS),
    ...(until === undefined ? {} : { until }),
    limit: SAMPLES,
  };
}
