/** What a policy of Antrea's says otherwise than it looks (SEMANTICS trap 10). */
import type { LintContext } from "./lint-context.ts";

export function antreaTraps({ desk, blocks, say }: LintContext): void {
  for (const { rules, policy } of blocks) {
    if (!policy.kind.startsWith("Antrea")) continue;
    for (const { l7Mode, action, source } of rules) {
      if (l7Mode !== "terminal" || action !== "allow") continue;
      say(
        "BH0737",
        source,
        "what this rule matches up to its ports is its own: another request in it is dropped, whatever later rules say",
        "put all requests that are wanted into this rule",
      );
    }
  }
  for (const resource of desk.resources) {
    if (resource.dialect !== "antrea" || !("egress" in resource.object)) continue;
    for (const { services = [], source } of resource.object.egress) {
      if (services.length === 0) continue;
      say(
        "BH0738",
        source,
        "`toServices` is met by a Service's ClusterIP alone, and not by the pods behind it",
        "for connections to the pods themselves select them",
      );
    }
  }
}
