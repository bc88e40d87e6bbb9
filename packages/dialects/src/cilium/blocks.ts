/**
 * Policies of Cilium to blocks of stage `application`, where those of Kubernetes are too, and of nodes to a plane of their
 * own. A list that is absent or empty is no section at all, and `- {}` is one that allows nothing (SEMANTICS trap 2).
 */
import type {
  Block,
  Direction,
  Peer,
  PolicyRef,
  PortMatch,
  Predicate,
  Rule,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { StagedBlock } from "../build/native-blocks.ts";
import { servicesOf } from "../build/services.ts";
import { contentName } from "../build/rule-id.ts";
import type { BuildInput } from "../dialect.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import { checkBlocks } from "./checks.ts";
import { CONFIG_MAP, DEFAULT_SETTINGS } from "./config.ts";
import { entityPeers } from "./entities.ts";
import { nodeAddresses, peerList, type PeerInput } from "./peer-list.ts";
import type { CiliumCidrGroup, CiliumPolicy, CiliumSpec } from "./policy.ts";
import type { DomainMatch } from "./names.ts";
import type { AllowPortRule, DenyPortRule } from "./ports.ts";
import type { CiliumRule } from "./rules.ts";
import { nodesOf, reachesAbroad, subjectOf } from "./scope.ts";
import { isReserved } from "./selector.ts";
import { HOST_STAGE } from "./stages.ts";

const EVERYONE: Peer = { kind: "any" };
const EVERY_PORT: PortMatch = { kind: "all" };

type Subject = Block["subject"];
type Content = Pick<Rule, "action" | "peers" | "ports" | "l7" | "auth">;

/** Null: nobody here. */
const subjectIn = (spec: CiliumSpec, input: PeerInput): Subject | null => {
  const { subject, isHost } = spec;
  if (isHost) return nodesOf(subject);
  const [only] = subject.requirements;
  if (only?.from === "reserved") {
    const [chosen] = isReserved(only.name) ? entityPeers(only.name) : [];
    // Nodes have policies of their own, and the world has none.
    if (chosen?.kind === "workloads" && chosen.namespaces.kind === "all") return chosen;
    input.context.report(
      "BH0402",
      subject.source,
      `a policy whose subject is \`reserved:${only.name}\` cannot be represented`,
      "for nodes there is `nodeSelector`",
    );
    return null;
  }
  if (reachesAbroad(subject, input.home)) {
    input.context.report(
      "BH0404",
      subject.source,
      "a namespace in `endpointSelector` has no effect",
      "a CiliumNetworkPolicy selects in its own namespace",
    );
  }
  return subjectOf(subject, input.home);
};

const serverNames = (names: readonly DomainMatch[]): Predicate => ({
  kind: "tls",
  conditions: [
    {
      attribute: "sni",
      anyOf: names.map(({ regex }) => ({ kind: "regex", value: regex })),
      noneOf: [],
    },
  ],
});

const predicatesOf = (port: AllowPortRule | DenyPortRule): readonly Predicate[] => {
  if (!("rules" in port || "serverNames" in port)) return [];
  const { rules, serverNames: names = [] } = port;
  const asked = rules?.http ?? rules?.dns ?? [];
  // Inside TLS that the proxy ends, requests are looked at; that one with another name never comes so far is not said.
  if (asked.length > 0) return asked;
  return names.length > 0 ? [serverNames(names)] : [];
};

const withPorts = (
  rule: CiliumRule,
  base: Pick<Content, "action" | "peers" | "auth">,
): readonly Content[] => {
  const { ports, icmps, peers } = rule;
  if (ports.length === 0 && icmps.length === 0) {
    return [{ ...base, ports: [EVERY_PORT], ...(peers === undefined ? { peers: [] } : {}) }];
  }
  const plain: PortMatch[] = icmps.flat();
  const asking: Content[] = [];
  for (const port of ports) {
    const matches = (port.ports ?? []).flatMap((one) => one.matches);
    const l7 = predicatesOf(port);
    if (l7.length === 0) plain.push(...matches);
    else asking.push({ ...base, ports: matches, l7 });
  }
  return plain.length === 0 && asking.length > 0 ? asking : [{ ...base, ports: plain }, ...asking];
};

const contentsOf = (
  rule: CiliumRule,
  action: "allow" | "deny",
  input: PeerInput,
): readonly Content[] => {
  const { peers, source, authentication } = rule;
  if (authentication === "test-always-fail") {
    input.context.report(
      "BH0308",
      source,
      "this rule lets nobody through: its authentication fails always",
    );
    return [];
  }
  const base = {
    action,
    peers: peers === undefined ? [EVERYONE] : peerList(peers, source, input),
    ...(authentication === undefined ? {} : { auth: authentication }),
  };
  return withPorts(rule, base);
};

/** Alone in its section it is how Cilium says that nobody is allowed; Kubernetes means everybody by the same words. */
const tellBareRules = ({ allows, denies }: Section, { report }: BuildContext): void => {
  const isAlone = allows.length === 1 && denies.length === 0;
  for (const { peers, ports, icmps, source } of [...allows, ...denies]) {
    if (peers !== undefined || ports.length > 0 || icmps.length > 0) continue;
    report(
      "BH0308",
      source,
      "a rule without peers and ports matches nothing in Cilium",
      isAlone
        ? "so this section allows nobody; for everyone write the entity `all`"
        : "for everyone write the entity `all`",
      isAlone ? "info" : undefined,
    );
  }
};

interface Section {
  readonly direction: Direction;
  readonly allows: readonly CiliumRule[];
  readonly denies: readonly CiliumRule[];
  readonly isolates: boolean | undefined;
}

const sectionsOf = (spec: CiliumSpec): readonly Section[] => [
  {
    direction: "egress",
    allows: spec.egress ?? [],
    denies: spec.egressDeny ?? [],
    isolates: spec.enableDefaultDeny?.egress,
  },
  {
    direction: "ingress",
    allows: spec.ingress ?? [],
    denies: spec.ingressDeny ?? [],
    isolates: spec.enableDefaultDeny?.ingress,
  },
];

const refOf = ({ kind, metadata }: CiliumPolicy): PolicyRef => ({
  kind,
  namespace: kind === "CiliumNetworkPolicy" ? (metadata.namespace ?? DEFAULT_NAMESPACE) : "",
  name: metadata.name,
});

const specBlocks = (
  policy: CiliumPolicy,
  { id: at, spec }: CiliumPolicy["specs"][number],
  input: PeerInput,
): readonly StagedBlock[] => {
  const ref = refOf(policy);
  const name = [ref.kind, ref.namespace, ref.name].filter((part) => part !== "").join("/");
  const enforce = input.context.options.mode === "enforce" ? "on" : "staged";
  const subject = subjectIn(spec, input);
  if (subject === null) return [];
  return sectionsOf(spec).flatMap((section): StagedBlock[] => {
    const { direction, allows, denies, isolates } = section;
    tellBareRules(section, input.context);
    const isEmpty = allows.length + denies.length === 0;
    if (isEmpty && isolates !== true) return [];
    const id = `${name}#${direction}${at}`;
    const taken = new Set<string>();
    const rulesOf = (rule: CiliumRule, action: "allow" | "deny") =>
      contentsOf(rule, action, input).map((content): Rule => {
        const words = contentName({ ...content, ports: [content.ports, content.l7 ?? []] }, taken);
        taken.add(words);
        const { description } = spec;
        return {
          id: `${id}/${words}`,
          source: rule.source,
          ...content,
          enforce,
          ...(description === undefined ? {} : { description }),
        };
      });
    const rules = [
      ...denies.flatMap((rule) => rulesOf(rule, "deny")),
      ...allows.flatMap((rule) => rulesOf(rule, "allow")),
    ];
    return [
      {
        stage: spec.isHost ? HOST_STAGE.id : "application",
        block: {
          id,
          source: spec.source,
          subject,
          direction,
          order: [0],
          isolates: isolates ?? true,
          enforce,
          rules,
          policy: ref,
        },
      },
    ];
  });
};

const saysNothing = ({
  ingress = [],
  ingressDeny = [],
  egress = [],
  egressDeny = [],
}: CiliumSpec) => ingress.length + ingressDeny.length + egress.length + egressDeny.length === 0;

/** `enable-policy: always`: nobody is free for want of a policy. */
const isolation = (
  { metadata, source }: Pick<CiliumPolicy, "metadata" | "source">,
  { options }: BuildContext,
): readonly StagedBlock[] =>
  (["egress", "ingress"] as const).map((direction) => ({
    stage: "application",
    block: {
      id: `ConfigMap/${CONFIG_MAP}#${direction}`,
      source,
      subject: { kind: "all-workloads" },
      direction,
      order: [0],
      isolates: true,
      enforce: options.mode === "enforce" ? "on" : "staged",
      rules: [],
      // By the name that it was applied with, so that it can be audited.
      policy: {
        kind: "ConfigMap",
        namespace: metadata.namespace ?? DEFAULT_NAMESPACE,
        name: metadata.name,
      },
    },
  }));

export const ciliumBlocks = (
  { resources, inventory }: BuildInput,
  context: BuildContext,
): readonly StagedBlock[] => {
  const objects = resources.flatMap((one) => (one.dialect === "cilium" ? [one.object] : []));
  const groups = new Map<string, CiliumCidrGroup>();
  for (const object of objects) {
    if (object.kind === "CiliumCIDRGroup") groups.set(object.metadata.name, object);
  }
  const config = objects.find((object) => object.kind === "ConfigMap");
  const { cluster, cidrHoldsNodes, isolatesAll } = config?.settings ?? DEFAULT_SETTINGS;
  const services = servicesOf(resources, inventory).all;
  const nodes = cidrHoldsNodes ? nodeAddresses(inventory) : [];
  const blocks = objects.flatMap((object): readonly StagedBlock[] => {
    if (object.kind === "CiliumCIDRGroup" || object.kind === "ConfigMap") return [];
    const { namespace } = refOf(object);
    const home = { namespace: namespace === "" ? undefined : namespace, cluster };
    return object.specs.flatMap((one) => {
      if (saysNothing(one.spec)) {
        context.report(
          "BH0308",
          one.spec.source,
          "all sections of this policy are empty, and Cilium pays no attention to it",
          "to deny everything write a rule that allows nobody: `ingress: [{}]`",
        );
      }
      return specBlocks(object, one, { home, groups, services, nodes, context });
    });
  });
  checkBlocks(blocks, context);
  return isolatesAll && config !== undefined ? [...isolation(config, context), ...blocks] : blocks;
};
