/**
 * What a policy means for connections that are open at this moment: those that the policy in force allows and the other
 * denies end within a second of enforcing it. The record of flows cannot tell that, since an idle connection is silent.
 */
import type { Logger } from "pino";
import type { UnderWay } from "@bulkhead/api";
import { decide, type InventoryIndex } from "@bulkhead/engine";
import type { Decision, PolicySet } from "@bulkhead/model";
import type { OpenConnections } from "@bulkhead/wire";
import type { AgentSession } from "../link/agent-session.ts";
import type { Reading } from "../policy/reading.ts";
import type { Namer } from "../world/naming.ts";
import type { World } from "../world/world.ts";

/** A policy in the world that it makes, judged as it is or as if all of it were enforced. */
export interface WhatCuts {
  readonly reading: Reading;
  readonly world: World;
  readonly mode: "audit" | "enforce";
}

export interface UnderWayInput {
  readonly open: readonly OpenConnections[];
  readonly before: { readonly set: PolicySet; readonly index: InventoryIndex };
  readonly after: { readonly set: PolicySet; readonly index: InventoryIndex };
  /** `audit`: judged as if what is only audited were enforced. */
  readonly mode: "audit" | "enforce";
  readonly name: Namer;
  readonly now: number;
}

const TIMEOUT_MS = 5000;

/** Undefined when no agent tells: no change waits for that. */
export async function askUnderWay(
  session: AgentSession | undefined,
  log: Logger,
  input: Omit<UnderWayInput, "open">,
): Promise<UnderWay[] | undefined> {
  if (session === undefined) return undefined;
  try {
    const { connections, error } = await session.connections(TIMEOUT_MS);
    if (error !== undefined) throw new Error(error);
    return cutUnderWay({ ...input, open: connections });
  } catch (error) {
    log.warn({ err: error }, "the agent did not tell which connections are under way");
    return undefined;
  }
}

/** The most connections first. */
export function cutUnderWay(input: UnderWayInput): UnderWay[] {
  const { open, before, after, mode, name, now } = input;
  const view = mode === "audit" ? "shadow" : "live";
  return open
    .flatMap(({ connections, ...query }): UnderWay[] => {
      const was = decide(before.set, before.index, query, { now, view: "live" });
      if (was.verdict !== "allow") return [];
      const will = decide(after.set, after.index, query, { now, view });
      if (will.verdict === "allow") return [];
      const { source, destination, protocol, port } = query;
      const rule = deniedBy(will);
      return [
        {
          source: name(source),
          destination: name(destination, { socket: { protocol, port } }),
          protocol,
          port,
          connections,
          verdict: will.verdict,
          ...(rule === undefined ? {} : { rule }),
        },
      ];
    })
    .toSorted((a, b) => b.connections - a.connections);
}

/** A packet meets the egress verdict first. */
function deniedBy({ egress, ingress }: Decision): string | undefined {
  const { determinedBy: by } = egress.verdict === "allow" ? ingress : egress;
  return by.kind === "rule" ? by.rule : by.kind === "isolation" ? by.block : undefined;
}
