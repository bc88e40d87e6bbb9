/**
 * `toPorts`. What may stand beside each other is what Cilium's `pkg/policy/api/rule_validation.go` lets through: it rejects
 * the whole policy otherwise, and so do we, at the place.
 */
import type { Direction } from "@bulkhead/model";
import { fields, optional, refused, required } from "../text/fields.ts";
import { integer, list, mapped, text, word, type Read, type Shape } from "../text/shape.ts";
import type { MapNode, TreeNode } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";
import { serverName } from "./names.ts";
import { portEntry } from "./port-entry.ts";
import { requestRules } from "./requests.ts";

const MOST = 40;

/** Known, read to be sure that it is sound, and told to change nothing about who may connect. */
const aside = <T>(shape: Shape<T>, what: string, why: string): Shape<T> =>
  mapped(shape, (value, node, at) => {
    at.report("BH0404", node, `${what} has no effect here`, why);
    return value;
  });

const tlsContext = fields("a TLS context", {
  secret: required(
    fields("a reference to a Secret", { name: required(text), namespace: optional(text) }),
  ),
  trustedCA: optional(text),
  certificate: optional(text),
  privateKey: optional(text),
});
const terminating = aside(
  tlsContext,
  "`terminatingTLS`",
  "requests are judged as if they came in the open",
);
const originating = aside(
  tlsContext,
  "`originatingTLS`",
  "whether the proxy speaks TLS is not looked at",
);
const listener = aside(
  fields("a listener", {
    envoyConfig: required(
      fields("a reference to an Envoy configuration", {
        kind: optional(word("kind", "CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig")),
        name: required(text),
      }),
    ),
    name: required(text),
    priority: optional(integer(1, 100)),
  }),
  "`listener`",
  "what the listener does with the connection is not looked at; it counts as allowed",
);

const ports = optional(list(portEntry, "ports"));
const NO_REQUESTS = "a denial of Cilium ends at ports; allow the requests that are wanted instead";

const tooMany = (given: readonly unknown[] | undefined, node: TreeNode, at: Reader): boolean => {
  if (given === undefined || given.length <= MOST) return false;
  at.report("BH0410", node, `\`ports\` has at most ${MOST} entries`, "make it several entries");
  return true;
};

export const denyPortRule = mapped(
  fields("a port rule", {
    ports,
    rules: refused(NO_REQUESTS),
    serverNames: refused(NO_REQUESTS),
    terminatingTLS: refused(NO_REQUESTS),
    originatingTLS: refused(NO_REQUESTS),
    listener: refused(NO_REQUESTS),
  }),
  (value, node, at) => (tooMany(value.ports, node, at) ? undefined : value),
);

const portRuleFields = fields("a port rule", {
  ports,
  rules: optional(requestRules),
  serverNames: optional(list(serverName, "server names")),
  terminatingTLS: optional(terminating),
  originatingTLS: optional(originating),
  listener: optional(listener),
});

type PortRuleFields = Read<typeof portRuleFields>;

/** Why Cilium rejects it; empty: it does not. */
const rejections = (rule: PortRuleFields, direction: Direction): readonly string[] => {
  const { ports: given = [], rules, serverNames = [], terminatingTLS, listener: own } = rule;
  const found: string[] = [];
  const ingress = direction === "ingress";
  if (rules?.dns !== undefined) {
    if (ingress) found.push("`dns` cannot stand in `ingress`");
    if (given.length === 0) found.push('`dns` needs `ports`, with port `"53"`');
    if (given.some(({ isRange }) => isRange)) found.push("`dns` cannot go with a range of ports");
  }
  if (rules?.http !== undefined && given.some(({ protocol }) => protocol !== "TCP")) {
    found.push("`http` needs `protocol: TCP` on every port");
  }
  if (rules !== undefined && given.some(({ isEvery }) => isEvery)) {
    found.push('layer 7 rules cannot go with port `"0"`');
  }
  if (rules !== undefined && serverNames.length > 0 && terminatingTLS === undefined) {
    found.push("`serverNames` cannot go with layer 7 rules unless `terminatingTLS` is there");
  }
  if (own !== undefined && ingress) found.push("`listener` cannot stand in `ingress`");
  if (own !== undefined && rules !== undefined) {
    found.push("`listener` cannot go with layer 7 rules");
  }
  return found;
};

const heading = (node: TreeNode) =>
  node.kind === "map" ? ((node satisfies MapNode).entries[0]?.keyExtent ?? node) : node;

export const allowPortRule = (direction: Direction): Shape<PortRuleFields> =>
  mapped(portRuleFields, (value, node, at) => {
    const reasons = rejections(value, direction);
    for (const reason of reasons) {
      at.report("BH0410", heading(node), reason, "Cilium rejects the whole policy for it");
    }
    return tooMany(value.ports, node, at) || reasons.length > 0 ? undefined : value;
  });

export type AllowPortRule = PortRuleFields;
export type DenyPortRule = Read<typeof denyPortRule>;
