/**
 * Common form to NetworkPolicy: allowances and isolation of one namespace each, and nothing else. What was read from a
 * NetworkPolicy comes back as it was, under its own name.
 */
import {
  isReservedNamespace,
  formatProtocol,
  matches,
  MAX_PORT,
  SCTP,
  TCP,
  UDP,
  type Block,
  type Cidr,
  type Namespace,
  type Peer,
  type PolicySet,
  type PortMatch,
  type Rule,
} from "@bulkhead/model";
import {
  createLosses,
  exported,
  freeName,
  labelSelectorOf,
  namespaceSelectorOf,
  plainBlocks,
  plainRule,
  refuseStages,
  shortKind,
  type Exported,
  type ExportedObject,
  type ExportOptions,
  type Losses,
} from "../export/exported.ts";

export interface NetworkPolicyExportOptions extends ExportOptions {
  /** Does an ipBlock hold addresses of pods and nodes where it will be enforced? (SEMANTICS trap 5) */
  readonly ipBlockMatchesWorkloads?: boolean;
  /** A policy of several namespaces becomes one in each of these that it is for. */
  readonly namespaces?: readonly Namespace[];
}

export const NETWORK_POLICY_STAGE = "application";
const WHOLE: readonly Cidr[] = ["0.0.0.0/0", "::/0"];
const WORDS: Readonly<Record<number, string>> = { [TCP]: "TCP", [UDP]: "UDP", [SCTP]: "SCTP" };

interface Task {
  readonly options: NetworkPolicyExportOptions;
  readonly losses: Losses;
}

type PeerOut = readonly ExportedObject[] | "everyone" | null;

const ipBlock = (cidr: Cidr, except: readonly Cidr[]): ExportedObject => ({
  ipBlock: { cidr, ...(except.length === 0 ? {} : { except }) },
});

/** Null: what cannot be said of it was told, and the rule does without. */
const peerOf = (peer: Peer, home: string, rule: Rule, { options, losses }: Task): PeerOut => {
  const { source } = rule;
  switch (peer.kind) {
    case "any":
      return "everyone";
    case "workloads": {
      const podSelector = labelSelectorOf(peer.selector, source, losses);
      if (podSelector === null) return null;
      const { namespaces } = peer;
      if (namespaces.kind === "named" && isReservedNamespace(namespaces.name)) {
        losses.accept("under", source, "this rule speaks of nodes");
        return null;
      }
      if (namespaces.kind === "named" && namespaces.name === home) return [{ podSelector }];
      const namespaceSelector = namespaceSelectorOf(namespaces, source, losses);
      if (namespaceSelector === null) return null;
      return [
        { namespaceSelector, ...(peer.selector.requirements.length === 0 ? {} : { podSelector }) },
      ];
    }
    case "cidr": {
      const holds = options.ipBlockMatchesWorkloads ?? false;
      if (peer.matchesWorkloads !== holds) {
        const what = holds
          ? `\`${peer.cidr}\` leaves out pods and nodes here`
          : `\`${peer.cidr}\` holds pods and nodes here`;
        if (!losses.accept(holds ? "over" : "under", source, what)) return null;
      }
      return [ipBlock(peer.cidr, peer.except)];
    }
    case "domain":
      losses.accept("under", source, `this rule names \`${peer.pattern}\``);
      return null;
    case "entity": {
      if (peer.entity === "host") {
        losses.accept("under", source, "this rule speaks of the machine itself");
        return null;
      }
      if (!losses.accept("over", source, "this rule speaks of the world")) return null;
      return WHOLE.map((cidr) => ipBlock(cidr, []));
    }
  }
};

type PortOut = ExportedObject | "all" | null;

const portOf = (match: PortMatch, rule: Rule, { losses }: Task): PortOut => {
  if (match.kind === "all") return "all";
  const protocol = WORDS[match.protocol];
  if (protocol === undefined) {
    losses.accept("under", rule.source, `protocol \`${formatProtocol(match.protocol)}\``);
    return null;
  }
  switch (match.kind) {
    case "protocol":
      return { protocol };
    case "named":
      return { protocol, port: match.name };
    case "range": {
      const { first, last } = match;
      if (first === 0 && last === MAX_PORT) return { protocol };
      const from = Math.max(1, first);
      if (first === 0) losses.accept("under", rule.source, "port 0");
      if (last === 0) return null;
      return { protocol, port: from, ...(last === from ? {} : { endPort: last }) };
    }
  }
};

const ruleOf = (rule: Rule, direction: "ingress" | "egress", home: string, task: Task) => {
  const peers = rule.peers.map((peer) => peerOf(peer, home, rule, task));
  const ports = rule.ports.map((match) => portOf(match, rule, task));
  const isEveryone = peers.includes("everyone");
  const some = peers.flatMap((one) => (one === null || one === "everyone" ? [] : one));
  const given = ports.flatMap((one) => (one === null || one === "all" ? [] : [one]));
  const isAll = ports.includes("all");
  // Left empty, both lists would say everything.
  if ((!isEveryone && some.length === 0) || (!isAll && given.length === 0)) return [];
  return [
    {
      ...(isEveryone ? {} : { [direction === "ingress" ? "from" : "to"]: some }),
      ...(isAll ? {} : { ports: given }),
    },
  ];
};

const rulesOf = (block: Block, home: string, task: Task): readonly ExportedObject[] =>
  block.rules.flatMap((rule) => {
    if (!plainRule(rule, task.losses)) return [];
    if (rule.action !== "allow") {
      if (rule.action === "deny") task.losses.accept("over", rule.source, "this rule denies");
      else task.losses.refuse(rule.source, `this rule says \`${rule.action}\``);
      return [];
    }
    return ruleOf(rule, block.direction, home, task);
  });

/** The namespaces that a policy has to be written in. */
const homesOf = (block: Block, { options, losses }: Task): readonly string[] => {
  const { subject, source } = block;
  if (subject.kind === "workloads" && subject.namespaces.kind === "named") {
    const { name } = subject.namespaces;
    if (!isReservedNamespace(name)) return [name];
    losses.refuse(source, "this policy is for nodes");
    return [];
  }
  const { namespaces } = options;
  if (namespaces === undefined) {
    losses.refuse(
      source,
      "this policy is for several namespaces",
      "say which there are, and it becomes one in each",
    );
    return [];
  }
  const scope = subject.kind === "workloads" ? subject.namespaces : { kind: "all" as const };
  losses.note(
    source,
    "this policy is for whatever namespaces there will be, and is written in those of the files",
    "a namespace that comes later, or is labelled later, goes without it until it is written again",
  );
  return namespaces
    .filter(({ labels }) => scope.kind !== "selected" || matches(scope.selector, labels))
    .map(({ name }) => name);
};

interface Part {
  readonly block: Block;
  readonly home: string;
}

const isAlone = (blocks: readonly Block[]): boolean =>
  new Set(blocks.map(({ direction }) => direction)).size === blocks.length;

/** Both directions of one policy and subject are one object. */
const objectOf = (parts: readonly Part[], name: string, task: Task): ExportedObject | null => {
  const [first] = parts;
  if (first === undefined) return null;
  const { home, block } = first;
  const { subject, source } = block;
  const selector = subject.kind === "workloads" ? subject.selector : { requirements: [] };
  const podSelector = labelSelectorOf(selector, source, task.losses);
  if (podSelector === null) return null;
  const sections = parts.map(({ block: one }) => {
    if (!one.isolates) {
      task.losses.accept("under", one.source, "this policy allows without isolating");
    }
    return [one.direction, rulesOf(one, home, task)] as const;
  });
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: home },
    spec: {
      podSelector,
      policyTypes: sections
        .map(([direction]) => (direction === "ingress" ? "Ingress" : "Egress"))
        .toSorted()
        .toReversed(),
      ...Object.fromEntries(sections),
    },
  };
};

/** Of the one stage that NetworkPolicy has a place in. */
export const networkPolicyObjects = (
  set: PolicySet,
  options: NetworkPolicyExportOptions,
  losses: Losses,
): readonly ExportedObject[] => {
  const task: Task = { options, losses };
  const stage = set.stages.find(({ id }) => id === NETWORK_POLICY_STAGE);
  const blocks = stage === undefined ? [] : plainBlocks(stage, losses);
  const parts = blocks.flatMap((block) =>
    homesOf(block, task).map((home): Part => ({ block, home })),
  );
  const groups = Map.groupBy(parts, ({ block, home }) =>
    JSON.stringify([
      home,
      block.policy.kind,
      block.policy.namespace,
      block.policy.name,
      block.subject,
    ]),
  );
  const taken = new Set<string>();
  return [...groups.values()].flatMap((group) => {
    const apart = isAlone(group.map(({ block }) => block)) ? [group] : group.map((one) => [one]);
    return apart.flatMap((one): ExportedObject[] => {
      const [first] = one;
      if (first === undefined) return [];
      const object = objectOf(one, nameOf(first, taken), task);
      return object === null ? [] : [object];
    });
  });
};

/** The set should be built without the guard of metadata addresses, which no NetworkPolicy can say. */
export const exportNetworkPolicies = (
  set: PolicySet,
  options: NetworkPolicyExportOptions = {},
): Exported => {
  const losses = createLosses("NetworkPolicy", options);
  refuseStages(set, [NETWORK_POLICY_STAGE], losses);
  return exported(networkPolicyObjects(set, options, losses), losses);
};

/** Its own, or with a word more where that is another's: `web`, `web-intent-ingress`. */
const nameOf = ({ block, home }: Part, taken: Set<string>): string => {
  const { policy, direction } = block;
  const long = `${policy.name}-${shortKind(policy.kind)}`;
  const longest = `${long}-${direction}`;
  return freeName([policy.name, long, longest], home, taken, longest);
};
