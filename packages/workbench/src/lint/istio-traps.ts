/** What an AuthorizationPolicy says otherwise than it looks (SEMANTICS trap 12). */
import type { Resource } from "@bulkhead/dialects";
import type { LintContext } from "./lint-context.ts";

type Policy = Extract<Resource, { dialect: "istio"; role: "authorization" }>["object"];
type Rule = NonNullable<NonNullable<Policy["spec"]>["rules"]>[number];

/** Prefixes of a Service port's name by which Istio knows a protocol that it does not look into. */
const NOT_HTTP = /^(tcp|tls|https|mongo|mysql|redis|udp)(-|$)/;

export function istioTraps({ desk, say }: LintContext): void {
  const opaque = new Map<number, string>();
  for (const resource of desk.resources) {
    if (resource.dialect !== "kubernetes" || resource.role !== "service") continue;
    for (const { name = "", target, port } of resource.object.ports) {
      if (!NOT_HTTP.test(name)) continue;
      opaque.set(typeof target === "number" ? target : port, name);
    }
  }
  for (const resource of desk.resources) {
    if (resource.dialect !== "istio" || resource.role !== "authorization") continue;
    const { spec, source } = resource.object;
    const action = spec?.action ?? "ALLOW";
    const rules = spec?.rules ?? [];
    if (rules.length === 0) {
      say(
        "BH0733",
        source,
        action === "ALLOW"
          ? "ALLOW without rules denies everything"
          : `${action} without rules does nothing`,
        action === "ALLOW"
          ? "to allow everything write `rules: [{}]`"
          : "to mean everything write `rules: [{}]`",
      );
    }
    for (const rule of rules) {
      if (!asksHttp(rule)) continue;
      const ports = (rule.to ?? []).flatMap(({ operation }) => operation.ports ?? []);
      if (action === "ALLOW") {
        for (const port of ports) {
          const name = opaque.get(Number(port));
          if (name === undefined) continue;
          say(
            "BH0731",
            rule.source,
            `port ${port} is \`${name}\`, which does not speak HTTP: this ALLOW never holds there`,
            "take the HTTP fields out, or name the port for what it speaks",
          );
        }
      } else if (action === "DENY" && ports.length === 0) {
        say(
          "BH0732",
          rule.source,
          "on ports that do not speak HTTP this DENY holds without its HTTP fields: it denies all of their connections",
          "name the ports in `to.operation.ports`",
        );
      }
    }
  }
}

const OPERATION = ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"] as const;
const SOURCE = ["requestPrincipals", "notRequestPrincipals"] as const;

function asksHttp({ from = [], to = [], when = [] }: Rule): boolean {
  return (
    to.some(({ operation }) => OPERATION.some((field) => (operation[field] ?? []).length > 0)) ||
    from.some(({ source }) => SOURCE.some((field) => (source[field] ?? []).length > 0)) ||
    when.some(({ key }) => key.kind === "attribute" && key.asks === "http")
  );
}
