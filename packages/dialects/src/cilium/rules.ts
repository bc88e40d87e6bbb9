/**
 * One rule of `ingress`, `egress`, `ingressDeny` or `egressDeny`. The four differ in the names of their fields and in what a
 * denial cannot say; what is read is the same of all.
 */
import type { Cidr, PortMatch, SourceSpan } from "@bulkhead/model";
import type { TreeNode } from "../text/document.ts";
import { fields, optional, refused, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import { list, mapped, word, type Shape } from "../text/shape.ts";
import { icmpRule } from "./icmp.ts";
import { domainSelector } from "./names.ts";
import {
  cidrRules,
  entities,
  prefixes,
  selectors,
  services,
  type CidrRule,
  type CiliumPeers,
} from "./peers.ts";
import { allowPortRule, denyPortRule, type AllowPortRule, type DenyPortRule } from "./ports.ts";

const AUTHENTICATION = ["disabled", "required", "test-always-fail"] as const;

export interface CiliumRule {
  readonly source: SourceSpan;
  /** Absent: whoever, but only where ports are named. */
  readonly peers?: CiliumPeers;
  readonly ports: readonly (AllowPortRule | DenyPortRule)[];
  readonly icmps: readonly (readonly PortMatch[])[];
  readonly authentication?: (typeof AUTHENTICATION)[number];
}

const GROUPS = "who is in a group is known to the cloud alone; name the prefixes";
const REQUIRES = "Cilium has taken it out; put the labels into every selector they are meant for";
const DENIED_NAMES = "Cilium denies nothing by name; allow the names that are wanted instead";

const from = {
  fromEndpoints: selectors,
  fromRequires: refused(REQUIRES),
  fromCIDR: prefixes,
  fromCIDRSet: cidrRules,
  fromEntities: entities,
  fromGroups: refused(GROUPS),
  fromNodes: selectors,
} as const;
const to = {
  toEndpoints: selectors,
  toRequires: refused(REQUIRES),
  toCIDR: prefixes,
  toCIDRSet: cidrRules,
  toEntities: entities,
  toServices: services,
  toGroups: refused(GROUPS),
  toNodes: selectors,
} as const;
const icmps = optional(list(icmpRule, "ICMP rules"));
const authentication = optional(
  fields("an authentication", { mode: required(word("mode", ...AUTHENTICATION)) }),
);
const denials = { toPorts: optional(list(denyPortRule, "port rules")), icmps } as const;

interface Member {
  readonly field: string;
  readonly count: number;
  readonly peers: CiliumPeers;
}

const member = <T>(
  field: string,
  given: readonly T[] | undefined,
  peers: (given: readonly T[]) => CiliumPeers,
): readonly Member[] =>
  given === undefined ? [] : [{ field, count: given.length, peers: peers(given) }];

const ofCidrs = (rules: readonly Pick<CidrRule, "from" | "except">[]): CiliumPeers => ({
  kind: "cidrs",
  rules,
});
const ofPrefixes = (given: readonly Cidr[]): CiliumPeers =>
  ofCidrs(given.map((cidr) => ({ from: { kind: "prefix", cidr }, except: [] })));

interface Written {
  readonly source: SourceSpan;
  readonly toPorts?: readonly (AllowPortRule | DenyPortRule)[];
  readonly icmps?: readonly (readonly PortMatch[])[];
  readonly authentication?: { readonly mode: (typeof AUTHENTICATION)[number] };
}

const combined = (
  { source, toPorts = [], icmps: types = [], authentication: asked }: Written,
  members: readonly Member[],
  node: TreeNode,
  at: Reader,
): CiliumRule | undefined => {
  const placeOf = (field: string) =>
    node.kind === "map" ? (node.entries.find(({ key }) => key === field)?.keyExtent ?? node) : node;
  const [first, ...others] = members.filter(({ count }) => count > 0);
  for (const { field } of others) {
    at.report(
      "BH0109",
      placeOf(field),
      `\`${first?.field}\` and \`${field}\` exclude each other`,
      "make it two rules",
    );
  }
  const mixed = toPorts.length > 0 && types.length > 0;
  if (mixed) {
    at.report(
      "BH0109",
      placeOf("icmps"),
      "`toPorts` and `icmps` exclude each other",
      "make it two rules",
    );
  }
  if (others.length > 0 || mixed) return undefined;
  // Names and Services that are none leave the rule as it is without the list; all others leave nobody.
  const isNobody = members.some(
    ({ count, peers: { kind } }) => count === 0 && kind !== "domains" && kind !== "services",
  );
  const peers: CiliumPeers | undefined = isNobody ? { kind: "nobody" } : first?.peers;
  return {
    source,
    ...(peers === undefined ? {} : { peers }),
    ports: toPorts,
    icmps: types,
    ...(asked === undefined ? {} : { authentication: asked.mode }),
  };
};

const fromShape = fields("peers", from);
type From = NonNullable<ReturnType<(typeof fromShape)["read"]>>;
const toShape = fields("peers", to);
type To = NonNullable<ReturnType<(typeof toShape)["read"]>>;

const fromMembers = (rule: From): readonly Member[] => [
  ...member("fromEndpoints", rule.fromEndpoints, (given) => ({
    kind: "endpoints",
    selectors: given,
  })),
  ...member("fromCIDR", rule.fromCIDR, ofPrefixes),
  ...member("fromCIDRSet", rule.fromCIDRSet, ofCidrs),
  ...member("fromEntities", rule.fromEntities, (given) => ({ kind: "entities", entities: given })),
  ...member("fromNodes", rule.fromNodes, (given) => ({ kind: "nodes", selectors: given })),
];
const toMembers = (rule: To): readonly Member[] => [
  ...member("toEndpoints", rule.toEndpoints, (given) => ({ kind: "endpoints", selectors: given })),
  ...member("toCIDR", rule.toCIDR, ofPrefixes),
  ...member("toCIDRSet", rule.toCIDRSet, ofCidrs),
  ...member("toEntities", rule.toEntities, (given) => ({ kind: "entities", entities: given })),
  ...member("toServices", rule.toServices, (given) => ({ kind: "services", services: given })),
  ...member("toNodes", rule.toNodes, (given) => ({ kind: "nodes", selectors: given })),
];

export const ingressRule: Shape<CiliumRule> = mapped(
  fields("an ingress rule", {
    ...from,
    toPorts: optional(list(allowPortRule("ingress"), "port rules")),
    icmps,
    authentication,
  }),
  (rule, node, at) => combined(rule, fromMembers(rule), node, at),
);

export const ingressDenyRule: Shape<CiliumRule> = mapped(
  fields("an ingress denial", { ...from, ...denials }),
  (rule, node, at) => combined(rule, fromMembers(rule), node, at),
);

export const egressRule: Shape<CiliumRule> = mapped(
  fields("an egress rule", {
    ...to,
    toFQDNs: optional(list(domainSelector("a domain selector"), "domain selectors")),
    toPorts: optional(list(allowPortRule("egress"), "port rules")),
    icmps,
    authentication,
  }),
  (rule, node, at) => {
    const domains = member("toFQDNs", rule.toFQDNs, (given) => ({
      kind: "domains",
      domains: given,
    }));
    return combined(rule, [...toMembers(rule), ...domains], node, at);
  },
);

export const egressDenyRule: Shape<CiliumRule> = mapped(
  fields("an egress denial", { ...to, toFQDNs: refused(DENIED_NAMES), ...denials }),
  (rule, node, at) => combined(rule, toMembers(rule), node, at),
);
