/**
 * `networking.k8s.io/v1` NetworkPolicy, every field of it: mapped, refused by name, or ignored. Meaning is given in
 * `build/kubernetes-blocks.ts`; here only what a single field can be wrong about.
 */
import {
  isServiceName,
  parseCidr,
  SCTP,
  TCP,
  UDP,
  type Cidr,
  type PortMatch,
} from "@bulkhead/model";
import { outsideExcept } from "../native/except.ts";
import { parseCidrText } from "../native/networks.ts";
import { labelSelector } from "../native/values.ts";
import { fields, ignored, optional, required } from "../text/fields.ts";
import {
  constant,
  integer,
  list,
  mapped,
  type Read,
  refined,
  type Shape,
  word,
} from "../text/shape.ts";
import { objectMeta } from "./metadata.ts";

/** Kubernetes takes prefixes with host bits and masks them; so do we, aloud. */
export const cidr = refined<Cidr>((value) => {
  const result = parseCidrText(value);
  const parsed = parseCidr(value);
  if ("value" in result || parsed === null) return result;
  return {
    value: parsed.cidr,
    warning: { code: result.code, error: result.error, help: `read as \`${parsed.cidr}\`` },
  };
});

const ipBlock = mapped(
  fields("an ipBlock", { cidr: required(cidr), except: optional(list(cidr, "prefixes")) }),
  (value, node, at) =>
    outsideExcept(value.cidr, value.except ?? [], node, at) ? undefined : value,
);

const peer = mapped(
  fields("a peer", {
    podSelector: optional(labelSelector),
    namespaceSelector: optional(labelSelector),
    ipBlock: optional(ipBlock),
  }),
  (value, node, at) => {
    const { podSelector, namespaceSelector, ipBlock: block } = value;
    const selects = podSelector !== undefined || namespaceSelector !== undefined;
    if (block !== undefined && selects) {
      at.report(
        "BH0109",
        node,
        "`ipBlock` excludes `podSelector` and `namespaceSelector`",
        "make it two peers",
      );
      return undefined;
    }
    if (block === undefined && !selects) {
      at.report(
        "BH0103",
        node,
        "a peer needs one of `podSelector`, `namespaceSelector`, `ipBlock`",
        "for everyone, leave `from` or `to` out; for every pod, write `namespaceSelector: {}`",
      );
      return undefined;
    }
    return value;
  },
);

const PROTOCOLS = { TCP, UDP, SCTP } as const;

const portNumber = integer(1, 65535);
const portName = refined<string>((value) =>
  isServiceName(value)
    ? { value }
    : {
        code: "BH0205",
        error: `\`${value}\` is not a port name`,
        ...(/^\d+$/.test(value) ? { help: `as a number it has no quotes: ${value}` } : {}),
      },
);
/** `intstr.IntOrString`. */
export const intOrName: Shape<number | string> = {
  schema: { anyOf: [portNumber.schema, portName.schema] },
  read: (node, at) =>
    node.kind === "scalar" && typeof node.value === "number"
      ? portNumber.read(node, at)
      : portName.read(node, at),
};

const port = mapped(
  fields("a port", {
    protocol: optional(word("protocol", "TCP", "UDP", "SCTP")),
    port: optional(intOrName),
    endPort: optional(portNumber),
  }),
  (value, node, at): PortMatch | undefined => {
    const protocol = PROTOCOLS[value.protocol ?? "TCP"];
    if (value.endPort !== undefined && typeof value.port !== "number") {
      at.report("BH0206", node, "`endPort` needs a numeric `port`");
      return undefined;
    }
    if (typeof value.port === "string") return { kind: "named", protocol, name: value.port };
    if (value.port === undefined) return { kind: "protocol", protocol };
    const last = value.endPort ?? value.port;
    if (last < value.port) {
      at.report("BH0206", node, `\`endPort\` ${last} is less than \`port\` ${value.port}`);
      return undefined;
    }
    return { kind: "range", protocol, first: value.port, last };
  },
);

const ports = optional(list(port, "ports"));
const peers = optional(list(peer, "peers"));

/** The API server takes it; a port's name is a pod's, and an address has none (trap 4). */
const egressRule = mapped(fields("an egress rule", { to: peers, ports }), (value, node, at) => {
  const { to = [], ports: given = [] } = value;
  const isBlock = ({ ipBlock: block }: Read<typeof peer>): boolean => block !== undefined;
  const names = given.flatMap((one) => (one.kind === "named" ? [one.name] : []));
  if (names.length > 0 && to.some(isBlock)) {
    const nothing = names.length === given.length && to.every(isBlock);
    at.report(
      "BH0308",
      node,
      nothing
        ? `no address has a port called \`${names[0]}\`: this rule never matches`
        : `no address has a port called \`${names[0]}\`: for an \`ipBlock\` it allows nothing`,
      "write the port's number",
    );
  }
  return value;
});

/** Calico tries them by a kind of its own. */
export const networkPolicySpec = {
  podSelector: optional(labelSelector),
  policyTypes: optional(list(word("policy type", "Ingress", "Egress"), "policy types")),
  ingress: optional(list(fields("an ingress rule", { from: peers, ports }), "ingress rules")),
  egress: optional(list(egressRule, "egress rules")),
} as const;

export const networkPolicy = fields("a NetworkPolicy", {
  // Absent in the items of a NetworkPolicyList as the API serves it.
  apiVersion: optional(constant("networking.k8s.io/v1")),
  kind: optional(constant("NetworkPolicy")),
  metadata: required(objectMeta),
  spec: required(fields("the spec of a NetworkPolicy", networkPolicySpec)),
  // Written by API servers 1.24 to 1.27 only; says nothing about traffic.
  status: ignored(),
});

export type NetworkPolicy = Read<typeof networkPolicy>;
export type NetworkPolicyPeer = Read<typeof peer>;
