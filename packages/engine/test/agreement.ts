/** What the reference says and what the compiled maps say, in words that can be compared. */
import type { Decision, DirectionDecision, FlowQuery, Inventory, PolicySet } from "@bulkhead/model";
import { compile, lookup, type DecideOptions, type LookedUp } from "../src/index.ts";
import { endpointOf } from "./worlds.ts";

export const DIRECTIONS = ["egress", "ingress"] as const;

/** What decided, as the datapath would report it. */
export function reported(
  decision: DirectionDecision,
  cookies: ReadonlyMap<string, string>,
): string {
  const by = decision.determinedBy;
  switch (by.kind) {
    case "exemption":
      return "not judged";
    case "default":
      return `${decision.verdict} 00000000`;
    case "rule":
      return `${decision.verdict} ${cookies.get(by.rule)}`;
    case "isolation":
      return `${decision.verdict} ${cookies.get(by.block)}`;
  }
}

export function looked(found: LookedUp["egress"]): string {
  return found === undefined ? "not judged" : `${found.verdict} ${found.cookie}`;
}

/** A subject that nothing asks about has no class: silence is the default. */
export function agrees(got: string, expected: string): boolean {
  return got === expected || (got === "not judged" && expected === "allow 00000000");
}

/** Compiles for the machine of every workload and holds the maps to a decision. */
export function holdCompiledTo(
  said: Decision,
  set: PolicySet,
  inventory: Inventory,
  query: FlowQuery,
  { now, view }: DecideOptions,
): void {
  const endpoints = inventory.workloads.filter(({ hostNetwork }) => !hostNetwork).map(endpointOf);
  const { policy, cookies } = compile(set, inventory, { now, revision: 1, endpoints });
  const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
  const found = lookup(policy, view, query, now);
  if (found.verdict !== said.verdict) {
    throw new Error(`decide says ${said.verdict}, the compiled maps ${found.verdict}`);
  }
  for (const direction of DIRECTIONS) {
    const [got, expected] = [looked(found[direction]), reported(said[direction], cookieOf)];
    if (!agrees(got, expected)) {
      throw new Error(`${direction}: decide says ${expected}, the compiled maps ${got}`);
    }
  }
}
