/**
 * Rules of Antrea's policies, with what the webhook of antrea-io/antrea (`pkg/controller/networkpolicy/validate.go`) says of
 * fields that do not go together.
 */
import { TCP, type PortMatch, type Predicate, type SourceSpan } from "@bulkhead/model";
import type { TreeNode } from "../text/document.ts";
import { fields, optional, required } from "../text/fields.ts";
import type { Reader } from "../text/reader.ts";
import { flag, list, mapped, refined, text, word, type Shape } from "../text/shape.ts";
import {
  CLUSTER,
  isMulticast,
  NAMESPACED,
  scope,
  type AntreaPeer,
  type AppliedTo,
  type PeerWords,
} from "./peers.ts";
import { portList, protocolList, type AntreaProtocol } from "./ports.ts";
import { requestList } from "./requests.ts";

const ACTIONS = { Allow: "allow", Drop: "deny", Reject: "reject", Pass: "pass" } as const;
type ActionWord = keyof typeof ACTIONS;

export interface AntreaService {
  /** Absent: the policy's own. */
  readonly namespace?: string;
  readonly name: string;
  readonly source: SourceSpan;
}

export interface AntreaRule {
  readonly action: (typeof ACTIONS)[ActionWord];
  /** Absent: everyone. */
  readonly peers?: readonly AntreaPeer[];
  /** In place of peers and ports. */
  readonly services?: readonly AntreaService[];
  /** Absent: all. */
  readonly ports?: readonly PortMatch[];
  readonly requests?: readonly Predicate[];
  readonly appliedTo: readonly AppliedTo[];
  readonly name?: string;
  readonly isLogged: boolean;
  readonly source: SourceSpan;
}

/** As the CRD has it: a label's value. */
const logLabel = refined<string>((value) =>
  /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/.test(value)
    ? { value }
    : {
        code: "BH0107",
        error: `\`${value}\` is not a log label`,
        help: "at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
      },
);

const common = {
  action: required(word("action", "Allow", "Drop", "Reject", "Pass")),
  ports: optional(portList),
  protocols: optional(protocolList),
  l7Protocols: optional(requestList),
  name: optional(text),
  // Whether a connection is written down as well is said of it; under which label is not.
  enableLogging: optional(flag),
  logLabel: optional(logLabel),
} as const;

const serviceFields = { name: required(text), scope: optional(scope) } as const;
const clusterServices = list(
  fields("a Service", { ...serviceFields, namespace: required(text) }),
  "Services",
);
const namespacedServices = list(
  fields("a Service", { ...serviceFields, namespace: optional(text) }),
  "Services",
);

interface Written {
  readonly source: SourceSpan;
  readonly action: ActionWord;
  readonly ports?: readonly PortMatch[];
  readonly protocols?: readonly AntreaProtocol[];
  readonly l7Protocols?: readonly Predicate[];
  readonly name?: string;
  readonly enableLogging?: boolean;
  readonly from?: readonly AntreaPeer[];
  readonly to?: readonly AntreaPeer[];
  readonly toServices?: readonly AntreaService[];
  readonly appliedTo?: readonly AppliedTo[];
}

const has = (given: readonly unknown[] | undefined): boolean => (given?.length ?? 0) > 0;

/** What the webhook says of one rule: everything, not only the first. */
function* problemsOf(
  rule: Written,
): Generator<readonly [code: "BH0109" | "BH0307" | "BH0430", message: string, help?: string]> {
  const { action, ports = [], protocols = [], l7Protocols = [], to = [], toServices } = rule;
  if (toServices !== undefined) {
    for (const field of ["to", "ports", "protocols"] as const) {
      const given = rule[field];
      if (given === undefined || (field === "to" && given.length === 0)) continue;
      yield ["BH0109", `\`toServices\` and \`${field}\` exclude each other`, "make it two rules"];
    }
  }
  if (l7Protocols.length > 0) {
    if (action !== "Allow") yield ["BH0307", "`l7Protocols` go with action `Allow` only"];
    if (has(toServices)) yield ["BH0109", "`toServices` and `l7Protocols` exclude each other"];
    const isHttp = l7Protocols.some(({ kind }) => kind === "http");
    const notTcp = ports.some((port) => port.kind !== "all" && port.protocol !== TCP);
    if (isHttp && (notTcp || protocols.length > 0)) {
      yield ["BH0430", "`http` goes with TCP only", "take the other protocols out"];
    }
  }
  const igmp = protocols.some(({ kind }) => kind === "igmp");
  const isLimited = action === "Pass" || action === "Reject";
  if (igmp) {
    if (isLimited) yield ["BH0307", `\`${action}\` cannot be said of \`igmp\``];
    const others = has(rule.from) || has(to) || has(toServices) || ports.length > 0;
    if (others || protocols.some(({ kind }) => kind === "icmp")) {
      yield ["BH0430", "`igmp` goes with no peers, ports or other protocols", "make it two rules"];
    }
  }
  const blocks = to.flatMap((peer) => (peer.kind === "block" ? [peer.block] : []));
  const multicast = blocks.filter(isMulticast);
  if (multicast.length > 0) {
    if (isLimited) yield ["BH0307", `\`${action}\` cannot be said of multicast addresses`];
    if (blocks.length > multicast.length) {
      yield ["BH0430", "multicast and other addresses in one rule", "make it two rules"];
    }
  }
}

const ruleOf = (rule: Written, node: TreeNode, at: Reader): AntreaRule | undefined => {
  const problems = [...problemsOf(rule)];
  for (const [code, message, help] of problems) at.report(code, node, message, help);
  if (problems.length > 0) return undefined;
  const { action, ports = [], protocols = [], l7Protocols = [], name, source } = rule;
  const { from, to, toServices: services = [], appliedTo = [], enableLogging = false } = rule;
  const peers = from ?? to ?? [];
  const matches = [...ports, ...protocols.flatMap((one) => one.matches)];
  return {
    action: ACTIONS[action],
    ...(peers.length === 0 ? {} : { peers }),
    ...(services.length === 0 ? {} : { services }),
    ...(matches.length === 0 ? {} : { ports: matches }),
    ...(l7Protocols.length === 0 ? {} : { requests: l7Protocols }),
    appliedTo,
    ...(name === undefined || name === "" ? {} : { name }),
    isLogged: enableLogging,
    source,
  };
};

const peers = <T>(shape: Shape<T>) => optional(list(shape, "peers"));

const rulesWith = (
  words: PeerWords,
  services: typeof clusterServices | typeof namespacedServices,
) => {
  const appliedTo = optional(list(words.ruleAppliedTo, "entries"));
  const ingress = fields("an ingress rule", { ...common, appliedTo, from: peers(words.from) });
  const egress = fields("an egress rule", {
    ...common,
    appliedTo,
    to: peers(words.to),
    toServices: optional<readonly AntreaService[]>(services),
  });
  return {
    ingress: list<AntreaRule>(mapped(ingress, ruleOf), "ingress rules"),
    egress: list<AntreaRule>(mapped(egress, ruleOf), "egress rules"),
  };
};

export const CLUSTER_RULES = rulesWith(CLUSTER, clusterServices);
export const NAMESPACED_RULES = rulesWith(NAMESPACED, namespacedServices);
