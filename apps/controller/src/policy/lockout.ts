/**
 * What a change would cut that must not be cut unasked: SSH sessions on this machine. The agent itself speaks to its
 * controller over a unix socket, which no network policy reaches.
 */
import { decide } from "@bulkhead/engine";
import type { PolicySet } from "@bulkhead/model";
import type { HostSession } from "@bulkhead/wire";
import type { World } from "../world/world.ts";

export interface Cut {
  readonly session: HostSession;
  /** Rule or block that would deny it. */
  readonly by: string;
}

/** Sessions allowed by `before` and denied by `after`. */
export function sessionsCut(
  before: { readonly set: PolicySet; readonly world: World },
  after: { readonly set: PolicySet; readonly world: World },
  now: number,
): readonly Cut[] {
  return after.world.sessions.flatMap((session) => {
    const { source, destination, protocol, port } = session;
    const query = { source, destination, protocol, port };
    const options = { now, view: "live" } as const;
    if (decide(before.set, before.world.index, query, options).verdict !== "allow") return [];
    const decision = decide(after.set, after.world.index, query, options);
    if (decision.verdict === "allow") return [];
    const side = decision.egress.verdict === "allow" ? decision.ingress : decision.egress;
    const { determinedBy } = side;
    const by =
      determinedBy.kind === "rule"
        ? determinedBy.rule
        : determinedBy.kind === "isolation"
          ? determinedBy.block
          : "the default";
    return [{ session, by }];
  });
}
