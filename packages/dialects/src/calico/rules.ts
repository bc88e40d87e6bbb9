/** One rule of Calico's in the common form, or why it cannot be said there. */
import {
  cidrRange,
  ICMP,
  ICMPV6,
  TCP,
  type Peer,
  type PortMatch,
  type Predicate,
  type Rule,
  type TextMatch,
} from "@bulkhead/model";
import { Beyond, chosenEndpoints, peersOf, servicePorts, type Setting } from "./ends.ts";
import type { CalicoRule, EntityRule } from "./rule.ts";
import { portMatches } from "./ports.ts";
import type { Selection } from "./selection.ts";

export type RuleContent = Pick<Rule, "source" | "action" | "peers" | "ports" | "l7" | "onOpaque">;

export interface CalicoRuleParts {
  readonly content: RuleContent;
  /** Those of the policy's subjects it is for; null: all of them. */
  readonly own: Selection | null;
}

const ACTIONS = { Allow: "allow", Deny: "deny", Log: "log", Pass: "pass" } as const;

/** Throws Beyond. */
export function ruleParts(
  rule: CalicoRule,
  direction: "ingress" | "egress",
  setting: Setting,
): CalicoRuleParts {
  const { source, destination } = rule;
  const [peer, own] = direction === "ingress" ? [source, destination] : [destination, source];
  if ([source?.ports, source?.notPorts].some((list) => (list?.length ?? 0) > 0))
    throw new Beyond("a source's port, which no decision knows");
  const peers = ofFamily(peersOf(peer, setting), rule);
  const content: RuleContent = {
    source: rule.place,
    action: ACTIONS[rule.action],
    peers,
    ports: portsOfRule(rule, setting),
    ...predicates(rule),
  };
  return { content, own: ownEnd(own, setting) };
}

function ownEnd(own: EntityRule | undefined, setting: Setting): Selection | null {
  if (own === undefined) return null;
  if ((own.nets?.length ?? 0) + (own.notNets?.length ?? 0) > 0)
    throw new Beyond("addresses at the policy's own end");
  return chosenEndpoints(own, setting);
}

function portsOfRule(rule: CalicoRule, setting: Setting): readonly PortMatch[] {
  const { destination } = rule;
  if (destination?.services !== undefined) return servicePorts(destination.services, setting);
  // Requests are TCP's, whether it is said or not.
  const asked = rule.http === undefined ? rule : { protocol: TCP, ...rule };
  const found = portMatches({ ...asked, ...withoutEmpty(destination) });
  if (found === null) throw new Beyond("names of ports where something is excluded");
  return found;
}

function withoutEmpty(destination: EntityRule | undefined) {
  const { ports, notPorts } = destination ?? {};
  return { ...(ports && { ports }), ...(notPorts && { notPorts }) };
}

/** ICMP is IPv4's and ICMPv6 IPv6's by themselves; else only prefixes have a family. */
function ofFamily(peers: readonly Peer[], { ipVersion, protocol }: CalicoRule): readonly Peer[] {
  if (ipVersion === undefined || protocol === ICMP || protocol === ICMPV6) return peers;
  return peers.flatMap((peer): Peer[] => {
    if (peer.kind === "cidr") return cidrRange(peer.cidr).family === ipVersion ? [peer] : [];
    if (peer.kind !== "any") throw new Beyond("`ipVersion` beside a selector");
    const cidr = ipVersion === 4 ? "0.0.0.0/0" : "::/0";
    return [{ kind: "cidr", cidr, except: [], matchesWorkloads: true }];
  });
}

function predicates({ http }: CalicoRule): Pick<Rule, "l7" | "onOpaque"> {
  if (http === undefined) return {};
  const { methods = [], paths = [] } = http;
  const predicate: Predicate = {
    kind: "http",
    conditions: [
      // A star is any method (`app-policy/checker/match.go`).
      { attribute: "method", anyOf: methods.includes("*") ? [] : methods.map(exact), noneOf: [] },
      {
        attribute: "path",
        anyOf: paths.flatMap(({ exact: whole, prefix = "" }) =>
          whole === undefined ? under(prefix) : [exact(whole)],
        ),
        noneOf: [],
      },
    ],
  };
  return { l7: [predicate], onOpaque: "noMatch" };
}

const exact = (value: string): TextMatch => ({ kind: "exact", value });

/** A prefix ends where a segment does: `/pub` is no prefix of `/public`. */
function under(prefix: string): readonly TextMatch[] {
  const whole = prefix.replace(/\/+$/, "");
  const below: TextMatch = { kind: "prefix", value: `${whole}/` };
  return whole === "" ? [below] : [exact(whole), below];
}
