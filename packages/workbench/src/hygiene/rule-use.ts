/**
 * What recorded connections used of each rule. An edge is decided again, its ends as who they were, as it is enforced and as
 * audit has it, and counts for the rules that decide it.
 */
import { createEdgeJudge, type Ends, type InventoryIndex } from "@bulkhead/engine";
import { TCP, type Edge, type PolicySet } from "@bulkhead/model";
import { createPeerUse, type PeerUse } from "./peer-use.ts";
import { createPortUse, type PortUse } from "./port-use.ts";

export interface RuleUse {
  add(edge: Edge): void;
  readonly ports: PortUse;
  readonly peers: PeerUse;
}

/** Passed, and was no connection to nobody: over TCP a refusal is told from an answer. */
export function isUse({ verdict, protocol, established, failed }: Edge): boolean {
  const passed = verdict === "forwarded" || verdict === "audit";
  return passed && !(protocol === TCP && established === 0 && failed > 0);
}

export function createRuleUse(set: PolicySet, index: InventoryIndex, now: number): RuleUse {
  const judges = (["live", "shadow"] as const).map((view) =>
    createEdgeJudge(set, index, { now, view }),
  );
  const ports = createPortUse(set, index);
  const peers = createPeerUse();
  return {
    ports,
    peers,
    add(edge) {
      if (!isUse(edge)) return;
      for (const judge of judges) {
        let found: Ends | undefined;
        const ends = (): Ends => (found ??= judge.ends(edge));
        const { egress, ingress } = judge.decide(edge);
        for (const { direction, determinedBy: by } of [egress, ingress]) {
          if (by.kind !== "rule") continue;
          ports.credit(by.rule, edge, ends);
          peers.credit(by.rule, direction, edge, ends);
        }
      }
    },
  };
}
