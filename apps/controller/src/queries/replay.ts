/** What a policy would have meant for everything on record: the API's view of it. */
import type { ReplayAnswer } from "@bulkhead/api";
import { replay } from "@bulkhead/engine";
import { recogniseEnds } from "@bulkhead/learn";
import type { Diagnostic, Edge, PolicySet } from "@bulkhead/model";
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
