/**
 * `projectcalico.org/v3` NetworkPolicy and GlobalNetworkPolicy with their staged forms, every field of
 * `api/pkg/apis/projectcalico/v3/{networkpolicy,globalnetworkpolicy,policy_common}.go`. What validation forbids is an error in place.
 */
import { fields, ignored, optional, refused, required } from "../text/fields.ts";
import {
  flag,
  integer,
  list,
  mapped,
  refined,
  text,
  word,
  type Read,
  type Shape,
} from "../text/shape.ts";
import type { TreeNode } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";
import { ICMP, ICMPV6, parseCidrOrAddress, TCP, type Cidr } from "@bulkhead/model";
import { objectMeta } from "../kubernetes/metadata.ts";
import { expression } from "./expression.ts";
import { hasPorts, port, protocol } from "./ports.ts";

/** Calico masks host bits, and takes a bare address for itself. */
export const net = refined<Cidr>("a prefix", (value) => {
  const parsed = parseCidrOrAddress(value);
  return parsed === null
    ? { code: "BH0203", error: `\`${value}\` is neither an address nor a prefix` }
    : { value: parsed.cidr };
});
const nets = optional(list(net, "prefixes"));
const selector = optional(expression);

export const order: Shape<number> = {
  name: "a number",
  schema: { type: "number" },
  read: (node, at) => {
    if (node.kind === "scalar" && typeof node.value === "number") return node.value;
    at.report("BH0104", node, "expected a number");
    return undefined;
  },
};

const serviceMatch = fields("a service", { name: required(text), namespace: optional(text) });
const accountMatch = fields("service accounts", {
  names: optional(list(text, "names")),
  selector,
});

const entity = mapped(
  fields("an end", {
    nets,
    notNets: nets,
    selector,
    notSelector: selector,
    namespaceSelector: selector,
    services: optional(serviceMatch),
    ports: optional(list(port, "ports")),
    notPorts: optional(list(port, "ports")),
    serviceAccounts: optional(accountMatch),
    domains: refused("it is Calico Enterprise's; name the addresses"),
  }),
  (value, node, at) => {
    const {
      services,
      nets: within,
      notNets,
      selector: chosen,
      notSelector,
      namespaceSelector,
      serviceAccounts,
    } = value;
    if (services === undefined) return value;
    const others = {
      nets: within,
      notNets,
      selector: chosen,
      notSelector,
      namespaceSelector,
      serviceAccounts,
    };
    const clash = Object.entries(others).find(([, one]) => one !== undefined)?.[0];
    if (clash === undefined) return value;
    at.report(
      "BH0109",
      node,
      `\`services\` and \`${clash}\` exclude each other`,
      "make it two rules",
    );
    return undefined;
  },
);

const icmpFields = mapped(
  fields("ICMP fields", { type: optional(integer(0, 254)), code: optional(integer(0, 255)) }),
  (value, node, at) => {
    if (value.code === undefined || value.type !== undefined) return value;
    at.report("BH0103", node, "`code` needs a `type`");
    return undefined;
  },
);

const httpPath = mapped(
  fields("a path", { exact: optional(text), prefix: optional(text) }),
  (value, node, at) => {
    if ((value.exact === undefined) !== (value.prefix === undefined)) return value;
    at.report("BH0109", node, "a path has either `exact` or `prefix`");
    return undefined;
  },
);

const rule = mapped(
  fields("a rule", {
    action: required(word("action", "Allow", "Deny", "Log", "Pass")),
    ipVersion: optional(integer(4, 6)),
    protocol: optional(protocol),
    notProtocol: optional(protocol),
    icmp: optional(icmpFields),
    notICMP: optional(icmpFields),
    source: optional(entity),
    destination: optional(entity),
    http: optional(
      fields("an HTTP match", {
        methods: optional(list(text, "methods")),
        paths: optional(list(httpPath, "paths")),
      }),
    ),
    metadata: ignored(),
  }),
  (value, node, at) => (isValid(value, node, at) ? { ...value, place: at.span(node) } : undefined),
);

type RawRule = {
  readonly action: string;
  readonly ipVersion?: number;
  readonly protocol?: number;
  readonly notProtocol?: number;
  readonly icmp?: unknown;
  readonly notICMP?: unknown;
  readonly http?: unknown;
  readonly source?: EntityRule;
  readonly destination?: EntityRule;
};

/** What upstream's validation refuses about one rule; all of it at once. */
function isValid(value: RawRule, node: TreeNode, at: Reader): boolean {
  const problems: string[] = [];
  const { protocol: of, ipVersion, http, action } = value;
  const isIcmp = of === ICMP || of === ICMPV6;
  if (ipVersion === 5) problems.push("`ipVersion` is 4 or 6");
  if (http !== undefined && of !== undefined && of !== TCP)
    problems.push("`http` needs protocol TCP");
  if (http !== undefined && action !== "Allow")
    problems.push("`http` goes with action `Allow` only");
  if ((value.icmp !== undefined || value.notICMP !== undefined) && !isIcmp)
    problems.push("`icmp` and `notICMP` need protocol ICMP or ICMPv6");
  for (const family of [of, value.notProtocol]) {
    if (family === ICMP && ipVersion === 6) problems.push("protocol ICMP needs `ipVersion` 4");
    if (family === ICMPV6 && ipVersion === 4) problems.push("protocol ICMPv6 needs `ipVersion` 6");
  }
  for (const end of ["source", "destination"] as const) {
    const { ports = [], notPorts = [] } = value[end] ?? {};
    if (ports.length + notPorts.length > 0 && (of === undefined || !hasPorts(of)))
      problems.push(`ports of the ${end} need protocol TCP, UDP or SCTP`);
  }
  if (value.destination?.services !== undefined && value.destination.ports !== undefined)
    problems.push("`ports` and `services` exclude each other");
  for (const problem of problems) at.report("BH0109", node, problem);
  return problems.length === 0;
}

const COMMON = {
  tier: optional(text),
  order: optional(order),
  selector,
  serviceAccountSelector: selector,
  types: optional(list(word("type", "Ingress", "Egress"), "types")),
  ingress: optional(list(rule, "rules")),
  egress: optional(list(rule, "rules")),
  performanceHints: ignored(),
} as const;
const GLOBAL = {
  ...COMMON,
  namespaceSelector: selector,
  doNotTrack: optional(flag),
  preDNAT: optional(flag),
  applyOnForward: optional(flag),
} as const;
const STAGED = {
  stagedAction: optional(word("staged action", "Set", "Delete", "Learn", "Ignore")),
} as const;

export const head = {
  apiVersion: optional(text),
  kind: optional(text),
  metadata: required(objectMeta),
  status: ignored(),
} as const;

export const networkPolicy = fields("a NetworkPolicy", {
  ...head,
  spec: required(fields("the spec of a NetworkPolicy", COMMON)),
});
export const stagedNetworkPolicy = fields("a StagedNetworkPolicy", {
  ...head,
  spec: required(fields("the spec of a StagedNetworkPolicy", { ...COMMON, ...STAGED })),
});
export const globalNetworkPolicy = fields("a GlobalNetworkPolicy", {
  ...head,
  spec: required(fields("the spec of a GlobalNetworkPolicy", GLOBAL)),
});
export const stagedGlobalNetworkPolicy = fields("a StagedGlobalNetworkPolicy", {
  ...head,
  spec: required(fields("the spec of a StagedGlobalNetworkPolicy", { ...GLOBAL, ...STAGED })),
});

const setSpec = fields("the spec of a set", {
  nets,
  allowedEgressDomains: refused("it is Calico Enterprise's; name the addresses"),
});
export const networkSet = fields("a set of networks", { ...head, spec: optional(setSpec) });

export const tier = fields("a Tier", {
  ...head,
  spec: optional(
    fields("the spec of a Tier", {
      order: optional(order),
      defaultAction: optional(word("action", "Deny", "Pass")),
    }),
  ),
});

const endpointPort = fields("a port", {
  name: required(text),
  protocol: required(protocol),
  port: required(integer(1, 65535)),
});
export const hostEndpoint = fields("a HostEndpoint", {
  ...head,
  spec: optional(
    fields("the spec of a HostEndpoint", {
      node: optional(text),
      interfaceName: optional(text),
      expectedIPs: optional(list(net, "addresses")),
      profiles: ignored("a profile's rules are not read: without a policy the node is open"),
      ports: optional(list(endpointPort, "ports")),
    }),
  ),
});

export type EntityRule = Read<typeof entity>;
export type CalicoRule = Read<typeof rule>;
export type GlobalPolicy = Read<typeof stagedGlobalNetworkPolicy>;
export type NetworkSetObject = Read<typeof networkSet>;
export type TierObject = Read<typeof tier>;
export type HostEndpointObject = Read<typeof hostEndpoint>;
