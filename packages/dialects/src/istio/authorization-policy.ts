/**
 * `security.istio.io` AuthorizationPolicy, every field of istio/api `security/v1/authorization_policy.proto`: mapped, refused by
 * name, or ignored. What the fields mean together is in `rules.ts`; here only what a single one can be wrong about.
 */
import { fields, ignored, optional, required } from "../text/fields.ts";
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
import {
  accountName,
  hostPattern,
  ipBlock,
  pathPattern,
  pattern,
  portText,
  selectedKeyProblem,
  selectedLabel,
} from "./patterns.ts";
import { customProblems, isNeverAsked, MOST_ACCOUNTS } from "./rejections.ts";

const patterns = optional(list(pattern, "patterns"));
const blocks = optional(list(ipBlock, "addresses and prefixes"));
const accounts = optional(
  mapped(list(accountName, "service accounts"), (names, node, at) => {
    if (names.length <= MOST_ACCOUNTS) return names;
    at.report("BH0421", node, `a list has at most ${MOST_ACCOUNTS} service accounts`);
    return undefined;
  }),
);

/** Where nothing is asked, everybody would be meant; Istio's own check wants that said by leaving the part out. */
const saying = <T extends object>(what: string, shape: Shape<T>): Shape<T> =>
  mapped(shape, (value, node, at) => {
    const isSaid = Object.values(value).some((one) => Array.isArray(one) && one.length > 0);
    if (isSaid) return value;
    at.report("BH0421", node, `${what} that asks nothing`, "leave it out to mean all");
    return undefined;
  });

const nonEmptyList = <T>(item: Shape<T>, field: string, what: string) =>
  mapped(list(item, what), (value, node, at) => {
    if (value.length > 0) return value;
    at.report("BH0421", node, `\`${field}\` is empty`, "leave it out to mean all");
    return undefined;
  });

/** An empty list says nothing, as in the proto: absent and empty are one. */
const sourceFields = fields("a source", {
  principals: patterns,
  notPrincipals: patterns,
  requestPrincipals: patterns,
  notRequestPrincipals: patterns,
  namespaces: patterns,
  notNamespaces: patterns,
  serviceAccounts: accounts,
  notServiceAccounts: accounts,
  trustDomains: patterns,
  notTrustDomains: patterns,
  ipBlocks: blocks,
  notIpBlocks: blocks,
  remoteIpBlocks: blocks,
  notRemoteIpBlocks: blocks,
});
const source = mapped(saying("a source", sourceFields), (value, node, at) => {
  const { serviceAccounts = [], notServiceAccounts = [] } = value;
  const { principals = [], notPrincipals = [], namespaces = [], notNamespaces = [] } = value;
  const accounts = serviceAccounts.length + notServiceAccounts.length;
  const others = [principals, notPrincipals, namespaces, notNamespaces].flat().length;
  if (accounts === 0 || others === 0) return value;
  at.report(
    "BH0109",
    node,
    "service accounts exclude principals and namespaces",
    "make it two sources, or name the account by its principal",
  );
  return undefined;
});

const operation = saying(
  "an operation",
  fields("an operation", {
    hosts: optional(list(hostPattern, "hosts")),
    notHosts: optional(list(hostPattern, "hosts")),
    ports: optional(list(portText, "ports")),
    notPorts: optional(list(portText, "ports")),
    methods: patterns,
    notMethods: patterns,
    paths: optional(list(pathPattern, "paths")),
    notPaths: optional(list(pathPattern, "paths")),
  }),
);

/** Values of these are no patterns. */
const valuesOf = (key: ConditionKey): Shape<unknown> | undefined => {
  switch (key.kind) {
    case "source-ip":
    case "destination-ip":
      return list(ipBlock, "addresses");
    case "port":
      return list(portText, "ports");
    case "identity":
      return key.of === "serviceAccount" ? list(accountName, "service accounts") : undefined;
    case "attribute":
      return key.attribute === "remote-ip" ? list(ipBlock, "addresses") : undefined;
  }
};

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
    if (shape === undefined) return value;
    const given =
      node.kind === "map"
        ? node.entries.filter((entry) => entry.key === "values" || entry.key === "notValues")
        : [];
    const read = given.map((entry) => shape.read(entry.value, at));
    return read.includes(undefined) ? undefined : value;
  },
);

const rule = fields("a rule", {
  from: optional(nonEmptyList(fields("a from", { source: required(source) }), "from", "sources")),
  to: optional(
    nonEmptyList(fields("a to", { operation: required(operation) }), "to", "operations"),
  ),
  when: optional(list(condition, "conditions")),
});

export const workloadSelector = fields("a selector", {
  matchLabels: optional(dictionary("labels", selectedLabel, selectedKeyProblem)),
});

const TARGETS = ["Gateway", "GatewayClass", "Service", "ServiceEntry"] as const;
const GROUPS: Readonly<Record<(typeof TARGETS)[number], readonly string[]>> = {
  Gateway: ["gateway.networking.k8s.io"],
  GatewayClass: ["gateway.networking.k8s.io"],
  Service: ["", "core"],
  ServiceEntry: ["networking.istio.io"],
};
const targetRef = mapped(
  fields("a target", {
    group: optional(text),
    kind: required(word("kind of target", ...TARGETS)),
    name: required(text),
    namespace: optional(text),
  }),
  ({ namespace = "", ...value }, node, at) => {
    const { kind, group = "", name } = value;
    if (!GROUPS[kind].includes(group)) {
      at.report(
        "BH0105",
        node,
        `there is no ${kind} in group \`${group}\``,
        GROUPS[kind][0] === "" ? "leave `group` out" : `write \`group: ${GROUPS[kind][0]}\``,
      );
    } else if (name === "") {
      at.report("BH0103", node, "a target needs a `name`");
    } else if (namespace !== "") {
      at.report(
        "BH0421",
        node,
        "a target cannot say its `namespace`",
        "it is in the policy's own; move the policy there",
      );
    } else return value;
    return undefined;
  },
);

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
    if (action === "CUSTOM" && (provider === undefined || provider.name === "")) {
      at.report("BH0103", node, "action `CUSTOM` needs a `provider` with a `name`");
      return undefined;
    }
    const unknown = action === "CUSTOM" ? customProblems(value.rules ?? []) : [];
    for (const what of unknown) {
      at.report(
        "BH0421",
        node,
        `action \`CUSTOM\` cannot ask for ${what}`,
        "ask for it in a policy that allows or denies",
      );
    }
    if (unknown.length > 0) return undefined;
    if (isNeverAsked(value)) {
      at.report(
        "BH0308",
        node,
        `action \`${action}\` without rules never does anything`,
        "Istio rejects it; for every request write `rules: [{}]`",
      );
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

export type AuthorizationPolicy = Read<typeof authorizationPolicy>;
export type Source = Read<typeof source>;
export type Operation = Read<typeof operation>;
export type IstioCondition = Read<typeof condition>;
export type IstioRule = Read<typeof rule>;
