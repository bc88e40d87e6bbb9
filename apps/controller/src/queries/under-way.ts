/**
 * What a policy means for connections that are open at this moment: those that the policy in force allows and the other
 * denies end within a second of enforcing it. The record of flows cannot tell that, since an idle connection is silent.
 */
import type { Logger } from "pino";
import type { UnderWay } from "@bulkhead/api";
import { decide, type InventoryIndex } from "@bulkhead/engine";
import type { CgroupPath, Decision, PolicySet } from "@bulkhead/model";
import type { OpenConnections } from "@bulkhead/wire";
import type { AgentSession } from "../link/agent-session.ts";
import type { Reading } from "../policy/reading.ts";
import type { EndHints, Namer } from "../world/naming.ts";
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
  const cut = open.flatMap(
    ({ connections, sourceCgroup, destinationCgroup, ...flow }): UnderWay[] => {
      const { source, destination, protocol, port } = flow;
      const from = name(source, hintOf(sourceCgroup));
      const to = name(destination, { socket: { protocol, port }, ...hintOf(destinationCgroup) });
      const query = {
        ...flow,
        ...(sourceCgroup && from.workload ? { sourceProcess: from.workload } : {}),
        ...(destinationCgroup && to.workload ? { destinationProcess: to.workload } : {}),
      };
      const was = decide(before.set, before.index, query, { now, view: "live" });
      if (was.verdict !== "allow") return [];
      const will = decide(after.set, after.index, query, { now, view });
      if (will.verdict === "allow") return [];
      const rule = deniedBy(will);
      return [
        {
          source: from,
          destination: to,
          protocol,
          port,
          connections,
          verdict: will.verdict,
          ...(rule === undefined ? {} : { rule }),
        },
      ];
    },
  );
  return together(cut).toSorted((a, b) => b.connections - a.connections);
}

/** Of one kind some may have been told by their sockets, and some, that are about to end, by their address. */
function together(cut: readonly UnderWay[]): UnderWay[] {
  const found = new Map<string, UnderWay>();
  for (const one of cut) {
    const { source, destination, protocol, port, verdict, rule } = one;
    const ends = [source.address, source.name, destination.address, destination.name];
    const key = JSON.stringify([...ends, protocol, port, verdict, rule]);
    const connections = one.connections + (found.get(key)?.connections ?? 0);
    found.set(key, { ...one, connections });
  }
  return [...found.values()];
}

const hintOf = (cgroup: CgroupPath | undefined): EndHints =>
  cgroup === undefined ? {} : { cgroup };

/** A packet meets the egress verdict first. */
function deniedBy({ egress, ingress }: Decision): string | undefined {
  const { determinedBy: by } = egress.verdict === "allow" ? ingress : egress;
  return by.kind === "rule" ? by.rule : by.kind === "isolation" ? by.block : undefined;
}
