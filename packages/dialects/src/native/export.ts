/**
 * Common form to our own Policies: a stage where the first match decides becomes one of the native tiers, and `application` stays
 * what it is. Stages have been arranged for that (`export/arrange.ts`); what is left over is refused by name.
 */
import {
  API_VERSION,
  formatPortMatch,
  formatSelector,
  GROUPS,
  isReservedLabel,
  isReservedNamespace,
  MAX_PORT,
  SCTP,
  TCP,
  UDP,
  type Block,
  type Peer,
  type PeerManifest,
  type PolicyManifest,
  type PolicySet,
  type Requirement,
  type Rule,
  type SourceSpan,
  type Stage,
  type WorkloadsManifest,
} from "@bulkhead/model";
import { isContentName } from "../build/rule-id.ts";
import { opensEverything } from "../build/lint.ts";
import {
  createLosses,
  freeName,
  narrowed,
  refuseStages,
  shortKind,
  type Exported,
  type ExportOptions,
  type Losses,
} from "../export/exported.ts";
import { priorities } from "../export/order.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import { printResources } from "./print.ts";
import { isName } from "./values.ts";

const TIERS = ["emergency", "guardrail", "application", "baseline"] as const;
type Tier = (typeof TIERS)[number];
type Spec = PolicyManifest["spec"];
type Chosen = Extract<Peer, { kind: "workloads" }>;

const PRIORITIES = { first: 0, last: 1_000_000 };

/** Null: it was told what cannot be asked. */
const workloadsOf = (
  { namespaces, selector }: Chosen,
  home: string,
  source: SourceSpan,
  losses: Losses,
): WorkloadsManifest | null => {
  const asked: readonly Requirement[] = [
    ...selector.requirements,
    ...(namespaces.kind === "selected" ? namespaces.selector.requirements : []),
  ];
  const reserved = asked.find(({ key }) => isReservedLabel(key));
  if (reserved !== undefined) {
    losses.refuse(source, `this asks for \`${reserved.key}\``);
    return null;
  }
  return {
    selector: formatSelector(selector),
    ...(namespaces.kind === "all" ? { namespace: "*" } : {}),
    ...(namespaces.kind === "named" && namespaces.name !== home
      ? { namespace: namespaces.name }
      : {}),
    ...(namespaces.kind === "selected"
      ? { namespaceSelector: formatSelector(namespaces.selector) }
      : {}),
  };
};

const isOfNodes = ({ namespaces }: Chosen): boolean =>
  namespaces.kind === "named" && isReservedNamespace(namespaces.name);

const isGroup = (name: keyof typeof GROUPS, peer: Extract<Peer, { kind: "cidr" }>): boolean =>
  !peer.matchesWorkloads &&
  peer.except.length === 0 &&
  GROUPS[name].length === 1 &&
  GROUPS[name].some((cidr) => cidr === peer.cidr);

/** Null: what it says was told to be missing. */
const peerOf = (peer: Peer, rule: Rule, home: string, losses: Losses): PeerManifest | null => {
  switch (peer.kind) {
    case "any":
      return { any: true };
    case "entity":
      return { entity: peer.entity };
    case "workloads": {
      if (isOfNodes(peer)) {
        narrowed(rule, "this rule speaks of nodes", losses);
        return null;
      }
      const found = workloadsOf(peer, home, rule.source, losses);
      const isShort = found !== null && Object.keys(found).length === 1 && found.selector !== "";
      return isShort && typeof found.selector === "string" ? found.selector : found;
    }
    case "cidr": {
      const { cidr, except, matchesWorkloads } = peer;
      const group = (["broadcast", "multicast"] as const).find((name) => isGroup(name, peer));
      if (group !== undefined) return { entity: group };
      const what = `\`${cidr}\` without pods and nodes`;
      if (!matchesWorkloads && losses.choose(rule, what) !== "widen") return null;
      return { cidr, ...(except.length === 0 ? {} : { except: [...except] }) };
    }
    case "domain":
      narrowed(rule, `this rule names \`${peer.pattern}\``, losses);
      return null;
  }
};

const beyond = ({ l7, auth, action }: Rule): string | null => {
  if (l7 !== undefined) return "this rule looks into requests";
  if (auth === "required") return "this rule asks its ends to prove who they are";
  return action === "audit" || action === "custom" ? `this rule says \`${action}\`` : null;
};

/** Names that nobody gave stay out. */
const nameOf = ({ id }: Rule, block: Block, taken: Set<string>): { readonly name?: string } => {
  const name = id.startsWith(`${block.id}/`) ? id.slice(block.id.length + 1) : "";
  if (!isName(name) || isContentName(name) || taken.has(name)) return {};
  taken.add(name);
  return { name };
};

/** Port 0 has no word. */
const portsOf = (rule: Rule, losses: Losses): readonly string[] =>
  rule.ports.flatMap((match) => {
    const isZero =
      match.kind === "range" &&
      match.first === 0 &&
      match.last < MAX_PORT &&
      [TCP, UDP, SCTP].includes(match.protocol);
    if (!isZero) return formatPortMatch(match);
    narrowed(rule, "port 0", losses);
    return match.last === 0 ? [] : formatPortMatch({ ...match, first: 1 });
  });

const rulesOf = (block: Block, tier: Tier, home: string, losses: Losses) => {
  const taken = new Set<string>();
  return block.rules.flatMap((rule) => {
    const isTooWide = tier !== "emergency" && opensEverything(rule);
    const missing = isTooWide ? "this rule allows every port of every address" : beyond(rule);
    if (missing !== null) {
      narrowed(rule, missing, losses);
      return [];
    }
    const peers = rule.peers.flatMap((peer) => peerOf(peer, rule, home, losses) ?? []);
    const action = rule.action as Exclude<Rule["action"], "audit" | "custom">;
    const isAll = rule.ports.some(({ kind }) => kind === "all");
    if (peers.length === 0 || rule.ports.length === 0) return [];
    return [
      {
        ...nameOf(rule, block, taken),
        ...(action === "allow" ? {} : { action }),
        peers,
        ...(isAll ? {} : { ports: portsOf(rule, losses) }),
        ...(rule.description === undefined ? {} : { description: rule.description }),
      },
    ];
  });
};

const sectionOf = (
  block: Block,
  tier: Tier,
  home: string,
  losses: Losses,
): Pick<Spec, "ingress" | "egress"> => {
  const rules = rulesOf(block, tier, home, losses);
  return block.direction === "ingress"
    ? { ingress: rules.map(({ peers, ...rest }) => ({ ...rest, from: peers })) }
    : { egress: rules.map(({ peers, ...rest }) => ({ ...rest, to: peers })) };
};

/** A native Policy isolates in its tier `application`, and nowhere else. */
const isolatesAs = (tier: Tier, { isolates, source }: Block, losses: Losses): boolean => {
  if (tier !== "application" || isolates) return true;
  losses.refuse(source, "this policy isolates nobody");
  return false;
};

/** All of a policy is for the same time and in the same mode. */
const sayable = (block: Block, losses: Losses): boolean => {
  const { rules, enforce, expiresAt, canary, source } = block;
  const isOne = rules.every((rule) => rule.enforce === enforce && rule.expiresAt === expiresAt);
  if (isOne && canary !== true) return true;
  losses.refuse(source, "some rules of this policy only audit, or end before the others");
  return false;
};

const timeText = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");

const manifestsOf = (
  { blocks: all }: Stage,
  tier: Tier,
  taken: Set<string>,
  losses: Losses,
): readonly PolicyManifest[] => {
  const blocks = all.filter((block) => isolatesAs(tier, block, losses) && sayable(block, losses));
  const numbers = priorities(blocks, PRIORITIES, losses);
  const groups = Map.groupBy(blocks, ({ policy, subject, order, enforce, expiresAt }) =>
    JSON.stringify([
      policy.kind,
      policy.namespace,
      policy.name,
      subject,
      order,
      enforce,
      expiresAt,
    ]),
  );
  return [...groups.values()].flatMap((group): PolicyManifest[] => {
    const isApart = new Set(group.map(({ direction }) => direction)).size < group.length;
    return (isApart ? group.map((one) => [one]) : [group]).flatMap((part) => {
      const [first] = part;
      return first === undefined
        ? []
        : manifestOf(first, part, tier, numbers.get(first.order[0] ?? 0) ?? 0, taken, losses);
    });
  });
};

const manifestOf = (
  { subject, policy, source, enforce, expiresAt }: Block,
  part: readonly Block[],
  tier: Tier,
  priority: number,
  taken: Set<string>,
  losses: Losses,
): readonly PolicyManifest[] => {
  if (subject.kind === "workloads" && isOfNodes(subject)) {
    losses.refuse(source, "this policy is for nodes");
    return [];
  }
  const isPlace = subject.kind === "workloads" && subject.namespaces.kind === "named";
  const home = isPlace
    ? (subject.namespaces as { readonly name: string }).name
    : policy.namespace === ""
      ? DEFAULT_NAMESPACE
      : policy.namespace;
  const chosen =
    subject.kind === "workloads"
      ? workloadsOf(subject, home, source, losses)
      : { selector: "", namespace: "*" };
  if (chosen === null) return [];
  const { owner, reason } = policy;
  const plain = isName(policy.name) ? policy.name : "policy";
  return [
    {
      apiVersion: API_VERSION,
      kind: "Policy",
      metadata: {
        name: freeName([plain, `${plain}-${shortKind(policy.kind)}`], home, taken),
        namespace: home,
      },
      spec: {
        ...(owner === undefined ? {} : { owner }),
        ...(reason === undefined ? {} : { reason }),
        ...(tier === "application" ? {} : { tier, priority }),
        ...(enforce === "staged" ? { mode: "audit" } : {}),
        ...(expiresAt === undefined ? {} : { expires: timeText(expiresAt) }),
        subject: chosen,
        ...Object.assign({}, ...part.map((block) => sectionOf(block, tier, home, losses))),
      },
    },
  ];
};

/** The set should be built without the guard of metadata addresses, which comes by itself. */
export const exportNative = (set: PolicySet, options: ExportOptions = {}): Exported => {
  const losses = createLosses("Bulkhead", options);
  refuseStages(set, TIERS, losses);
  const taken = new Set<string>();
  const objects = TIERS.flatMap((tier) => {
    const stage = set.stages.find(({ id }) => id === tier);
    return stage === undefined ? [] : manifestsOf(stage, tier, taken, losses);
  });
  return {
    objects: objects.map((one) => ({ ...one })),
    text: printResources(objects),
    diagnostics: losses.diagnostics,
  };
};
