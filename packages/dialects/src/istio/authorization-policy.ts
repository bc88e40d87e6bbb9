/**
 * `security.istio.io` AuthorizationPolicy, every field of istio/api `security/v1/authorization_policy.proto`: mapped, refused by
 * name, or ignored. What the fields mean together is in `rules.ts`; here only what a single one can be wrong about.
 */
import { fields, ignored, optional, required, refused } from "../text/fields.ts";
import {
  constant,
  dictionary,
  list,
  mapped,
  text,
  word,
  type Read,
  type Shape,
} from "../text/shape.ts";
import { objectMeta } from "../kubernetes/metadata.ts";
import { conditionKey, type ConditionKey } from "./conditions.ts";
import { hostPattern, ipBlock, pathPattern, pattern, portText } from "./patterns.ts";

const patterns = optional(list(pattern, "patterns"));
const blocks = optional(list(ipBlock, "addresses and prefixes"));

/** An empty list says nothing, as in the proto: absent and empty are one. */
const source = fields("a source", {
  principals: patterns,
  notPrincipals: patterns,
  requestPrincipals: patterns,
  notRequestPrincipals: patterns,
  namespaces: patterns,
  notNamespaces: patterns,
  serviceAccounts: optional(list(text, "service accounts")),
  notServiceAccounts: optional(list(text, "service accounts")),
  ipBlocks: blocks,
  notIpBlocks: blocks,
  remoteIpBlocks: blocks,
  notRemoteIpBlocks: blocks,
});

const operation = fields("an operation", {
  hosts: optional(list(hostPattern, "hosts")),
  notHosts: optional(list(hostPattern, "hosts")),
  ports: optional(list(portText, "ports")),
  notPorts: optional(list(portText, "ports")),
  methods: patterns,
  notMethods: patterns,
  paths: optional(list(pathPattern, "paths")),
  notPaths: optional(list(pathPattern, "paths")),
});

/** What the values of a condition are, where they are no patterns. */
function valuesOf(key: ConditionKey): Shape<unknown> | null {
  if (key.kind === "port") return list(portText, "ports");
  const isAddress =
    key.kind === "source-ip" || (key.kind === "attribute" && key.attribute === "remote-ip");
  return isAddress ? list(ipBlock, "addresses") : null;
}

const condition = mapped(
  fields("a condition", {
    key: required(conditionKey),
    values: patterns,
    notValues: patterns,
  }),
  (value, node, at) => {
    const { key, values = [], notValues = [] } = value;
    if (values.length + notValues.length === 0) {
      at.report("BH0103", node, "a condition needs `values` or `notValues`");
      return undefined;
    }
    const shape = valuesOf(key);
    if (shape === null) return value;
    const given =
      node.kind === "map"
        ? node.entries.filter((entry) => entry.key === "values" || entry.key === "notValues")
        : [];
    const read = given.map((entry) => shape.read(entry.value, at));
    return read.includes(undefined) ? undefined : value;
  },
);

const rule = fields("a rule", {
  from: optional(list(fields("a from", { source: required(source) }), "sources")),
  to: optional(list(fields("a to", { operation: required(operation) }), "operations")),
  when: optional(list(condition, "conditions")),
});

export const workloadSelector = fields("a selector", {
  matchLabels: optional(dictionary("labels", text, () => null)),
});

const TARGETS = ["Gateway", "GatewayClass", "Service", "ServiceEntry"] as const;
const targetRef = fields("a target", {
  group: optional(text),
  kind: required(word("kind of target", ...TARGETS)),
  name: required(text),
  namespace: optional(text),
});

const spec = mapped(
  fields("the spec of an AuthorizationPolicy", {
    selector: optional(workloadSelector),
    targetRef: optional(targetRef),
    targetRefs: optional(list(targetRef, "targets")),
    rules: optional(list(rule, "rules")),
    action: optional(word("action", "ALLOW", "DENY", "AUDIT", "CUSTOM")),
    provider: optional(fields("a provider", { name: required(text) })),
  }),
  (value, node, at) => {
    const { selector, targetRef: single, targetRefs, action, provider } = value;
    const given = [selector, single, targetRefs].filter((one) => one !== undefined);
    if (given.length > 1) {
      at.report(
        "BH0109",
        node,
        "`selector`, `targetRef` and `targetRefs` exclude each other",
        "make it two policies",
      );
      return undefined;
    }
    if (action === "CUSTOM" && provider === undefined) {
      at.report("BH0103", node, "action `CUSTOM` needs a `provider`");
      return undefined;
    }
    if (action !== "CUSTOM" && provider !== undefined) {
      at.report("BH0109", node, "`provider` goes with action `CUSTOM` only");
      return undefined;
    }
    return value;
  },
);

/** Fields of `apiVersion` and `kind` are checked before; a list's items may lack them. */
export const heading = (kind: string) =>
  ({
    apiVersion: optional(text),
    kind: optional(constant(kind)),
    metadata: required(objectMeta),
    status: ignored(),
  }) as const;

export const authorizationPolicy = fields("an AuthorizationPolicy", {
  ...heading("AuthorizationPolicy"),
  spec: optional(spec),
});

const MODES = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;
const mutualTls = fields("TLS settings", { mode: optional(word("mode", ...MODES)) });

const PORT = /^\d{1,5}$/;
const perPort: Shape<Readonly<Record<string, Read<typeof mutualTls>>>> = dictionary(
  "ports with TLS settings",
  mutualTls,
  (key) =>
    PORT.test(key) && Number(key) >= 1 && Number(key) <= 65535
      ? null
      : "a port is a number from 1 to 65535",
);

const peerAuthenticationSpec = mapped(
  fields("the spec of a PeerAuthentication", {
    selector: optional(workloadSelector),
    mtls: optional(mutualTls),
    portLevelMtls: optional(perPort),
    portLevelTls: refused(
      "leave it out: it is hidden upstream, and says nothing about who may call",
    ),
  }),
  (value, node, at) => {
    const { selector, portLevelMtls = {} } = value;
    if (Object.keys(portLevelMtls).length === 0) return value;
    if (Object.keys(selector?.matchLabels ?? {}).length === 0) {
      at.report(
        "BH0404",
        node,
        "`portLevelMtls` has no effect without a `selector`",
        "select the workloads whose ports these are",
      );
    }
    return value;
  },
);

/** istio/api `security/v1/peer_authentication.proto`. */
export const peerAuthentication = fields("a PeerAuthentication", {
  ...heading("PeerAuthentication"),
  spec: optional(peerAuthenticationSpec),
});

export type AuthorizationPolicy = Read<typeof authorizationPolicy>;
export type PeerAuthentication = Read<typeof peerAuthentication>;
export type Source = Read<typeof source>;
export type Operation = Read<typeof operation>;
export type IstioCondition = Read<typeof condition>;
export type IstioRule = Read<typeof rule>;
export type TlsMode = (typeof MODES)[number];
