/** What a policy would have meant for everything on record: the API's view of it. */
import type { ReplayAnswer } from "@bulkhead/api";
import { replay } from "@bulkhead/engine";
import { recogniseEnds } from "@bulkhead/learn";
import type { Diagnostic, Edge, PolicySet } from "@bulkhead/model";
import { formerOf } from "../world/former.ts";
import type { World } from "../world/world.ts";

export interface ReplayInput {
  readonly edges: readonly Edge[];
  readonly before: PolicySet;
  readonly after: PolicySet;
  /** As it is, and as it would be with the change. */
  readonly was: World;
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
  was,
  world,
  now,
  ...more
}: ReplayInput): ReplayAnswer {
  // Spoofed and broken packets never were connections.
  const real = edges.filter((edge) => edge.verdict !== "spoofed" && edge.verdict !== "error");
  // What was seen before anybody had given it labels is judged as who it is now.
  const former = formerOf(was, world);
  const known = recogniseEnds(former.renamed(recogniseEnds(real, was.inventory)), world.inventory);
  const { newlyDenied, newlyAllowed, unchanged } = replay(
    before,
    after,
    known,
    world.index,
    now,
    "live",
    former.index,
  );
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
