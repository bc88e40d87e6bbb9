/** What a policy of Cilium's says otherwise than it looks (SEMANTICS traps 3, 8, 11 and 13). */
import { boxesOf, overlap } from "@bulkhead/engine";
import type { LintContext } from "./lint-context.ts";

export function ciliumTraps({ desk, blocks, say }: LintContext): void {
  for (const resource of desk.resources) {
    if (resource.dialect !== "cilium" || !("specs" in resource.object)) continue;
    const isClusterwide = resource.object.kind === "CiliumClusterwideNetworkPolicy";
    for (const { spec } of resource.object.specs) {
      const { ingress = [], egress = [], ingressDeny = [], egressDeny = [] } = spec;
      for (const { peers, source } of [...ingress, ...egress, ...ingressDeny, ...egressDeny]) {
        if (
          peers?.kind === "endpoints" &&
          peers.selectors.some(({ requirements }) => requirements.length === 0)
        ) {
          say(
            "BH0723",
            source,
            isClusterwide
              ? "an empty selector is every pod of every namespace, and nobody of the world"
              : "an empty selector is every pod of the policy's own namespace",
            isClusterwide
              ? "for whoever write the entity `all`"
              : "for pods of every namespace select by `k8s:io.kubernetes.pod.namespace`",
          );
        }
        if (peers?.kind === "entities" && peers.entities.includes("cluster")) {
          say(
            "BH0734",
            source,
            "entity `cluster` also holds nodes, health checks, ingress and what Cilium does not manage",
            "for pods alone select them",
          );
        }
      }
    }
  }
  for (const block of blocks) {
    if (!block.policy.kind.startsWith("Cilium")) continue;
    for (const { peers, source } of block.rules) {
      const one = peers.find(
        (peer) => peer.kind === "domain" && /(^|[^*])\*([^*]|$)/.test(peer.pattern),
      );
      if (one?.kind !== "domain") continue;
      say(
        "BH0729",
        source,
        `\`*\` in \`${one.pattern}\` stands for one label of a name, and no dot`,
        "for names of any depth write `**.`",
      );
    }
  }
  imposed({ desk, say });
}

/** Trap 11: where several rules allow, one that asks for proof asks it for all. */
function imposed({ desk, say }: Pick<LintContext, "desk" | "say">): void {
  for (const { mode, blocks } of desk.set.stages) {
    const asking = blocks.flatMap((block) =>
      block.rules.filter(({ auth }) => auth === "required").map((rule) => ({ block, rule })),
    );
    if (mode !== "denyOverrides" || asking.length === 0) continue;
    for (const block of blocks) {
      for (const rule of block.rules) {
        if (rule.auth !== undefined || rule.action !== "allow") continue;
        const by = asking.find(
          (one) =>
            one.block.direction === block.direction &&
            overlap(boxesOf(one.block, one.rule), boxesOf(block, rule)),
        );
        if (by === undefined) continue;
        say(
          "BH0736",
          rule.source,
          `what \`${by.block.policy.name}\` asks for counts here too: both ends must have proved who they are`,
          "where that is not meant, write `authentication: { mode: disabled }`",
        );
      }
    }
  }
}
