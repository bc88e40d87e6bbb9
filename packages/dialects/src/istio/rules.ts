/**
 * Rules of an AuthorizationPolicy in the common form: each `from` with each `to`, under all of `when`. HTTP fields are predicates;
 * what a proxy that cannot look into the traffic makes of them differs: it drops a rule that allows, and takes a rule that
 * denies without them (trap 12).
 */
import {
  intersect,
  MAX_PORT,
  parseCidrOrAddress,
  portsOfProtocol,
  subtract,
  TCP,
  type Condition,
  type Peer,
  type PortMatch,
  type PortSet,
  type Predicate,
  type Rule,
  type RuleAction,
  type TextMatch,
} from "@bulkhead/model";
import type { IstioCondition, IstioRule, Operation, Source } from "./authorization-policy.ts";
import {
  callers,
  callersInPlain,
  type AddressClause,
  type CallerIndex,
  type IdentityClause,
} from "./callers.ts";
import type { DataPlane } from "./mesh.ts";
import type { Pattern } from "./patterns.ts";
import { EVERY_PORT, plainSet, portSet, type PlainPorts } from "./plaintext.ts";
import type { Way } from "./waypoints.ts";
import { forZtunnel } from "./ztunnel.ts";

export interface RuleSetting {
  readonly action: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  /** Of the policy. */
  readonly namespace: string;
  readonly plane: DataPlane;
  /** Where callers come without TLS. */
  readonly plain: PlainPorts | null;
  readonly way: Way;
  readonly callers: CallerIndex;
}

export type RuleContent = Pick<Rule, "source" | "action" | "peers" | "ports" | "l7" | "onOpaque">;

const ACTIONS = {
  ALLOW: "allow",
  DENY: "deny",
  AUDIT: "audit",
  CUSTOM: "custom",
} as const satisfies Record<RuleSetting["action"], RuleAction>;
/** Some request of HTTP's. */
const ANY_HTTP: readonly Predicate[] = [{ kind: "http", conditions: [] }];

/** Ports at which callers have identities, or have none. */
interface Scope {
  readonly ports: PortSet;
  readonly plain: boolean;
}

export function ruleContents(rule: IstioRule, setting: RuleSetting): readonly RuleContent[] {
  if (setting.plain === null) {
    return contentsAt(rule, setting, { ports: EVERY_PORT, plain: false });
  }
  const plain = plainSet(setting.plain);
  return [
    ...contentsAt(rule, setting, { ports: plain, plain: true }),
    ...contentsAt(rule, setting, { ports: subtract(EVERY_PORT, plain), plain: false }),
  ];
}

function contentsAt(whole: IstioRule, setting: RuleSetting, scope: Scope): readonly RuleContent[] {
  const isAllow = setting.action === "ALLOW";
  const rule = setting.plane === "ambient" ? forZtunnel(whole, isAllow) : whole;
  if (rule === null) return [];
  // Lists of nothing were refused, as Istio refuses them.
  const froms = rule.from ?? [undefined];
  const tos = rule.to ?? [undefined];
  const when = rule.when ?? [];
  const parts = froms.flatMap((from) =>
    tos.map((to) => ({
      peers: peersOf(from?.source, when, setting, scope),
      to: to?.operation,
      from,
    })),
  );
  const said = parts.map(({ peers, from, to }) => ({
    peers,
    ports: portsOfRule(to, when, scope),
    l7: predicates(from?.source, to, when),
  }));
  const asks = said.some(({ l7 }) => l7 !== undefined);
  return said.flatMap(({ peers, ports, l7 }): RuleContent[] => {
    if (peers.length === 0 || ports.length === 0) return [];
    const own =
      setting.plane === "ambient" ? undefined : (l7 ?? (asks && isAllow ? ANY_HTTP : undefined));
    return [
      {
        source: rule.source,
        action: ACTIONS[setting.action],
        peers,
        ports,
        ...(own === undefined ? {} : { l7: own, onOpaque: isAllow ? "noMatch" : "widen" }),
      },
    ];
  });
}

function peersOf(
  source: Source | undefined,
  when: readonly IstioCondition[],
  { namespace, way, callers: index }: RuleSetting,
  { plain }: Scope,
): readonly Peer[] {
  const clause = (
    of: IdentityClause["of"],
    values: readonly Pattern[] = [],
    notValues: readonly Pattern[] = [],
  ): IdentityClause => ({ of, values, notValues });
  const accounts = (names: readonly string[] = []): Pattern[] =>
    names.map((text) => ({ text, match: { kind: "exact", value: text } }));
  const identities = [
    clause("principal", source?.principals, source?.notPrincipals),
    clause("namespace", source?.namespaces, source?.notNamespaces),
    clause(
      "serviceAccount",
      accounts(source?.serviceAccounts),
      accounts(source?.notServiceAccounts),
    ),
    clause("trustDomain", source?.trustDomains, source?.notTrustDomains),
    ...when.flatMap(({ key, values, notValues }) =>
      key.kind === "identity" ? [clause(key.of, values, notValues)] : [],
    ),
  ];
  const addresses: AddressClause[] = [
    {
      values: (source?.ipBlocks ?? []).map((text) => parseCidrOrAddress(text)!.cidr),
      notValues: (source?.notIpBlocks ?? []).map((text) => parseCidrOrAddress(text)!.cidr),
    },
    ...when.flatMap(({ key, values = [], notValues = [] }) =>
      key.kind === "source-ip"
        ? [
            {
              values: values.map(({ text }) => parseCidrOrAddress(text)!.cidr),
              notValues: notValues.map(({ text }) => parseCidrOrAddress(text)!.cidr),
            },
          ]
        : [],
    ),
  ];
  return (plain ? callersInPlain : callers)(identities, addresses, namespace, { ...index, way });
}

function portsOfRule(
  to: Operation | undefined,
  when: readonly IstioCondition[],
  scope: Scope,
): readonly PortMatch[] {
  const limits = [
    { ports: to?.ports ?? [], notPorts: to?.notPorts ?? [] },
    ...when.flatMap(({ key, values = [], notValues = [] }) =>
      key.kind === "port"
        ? [
            {
              ports: values.map(({ text }) => Number(text)),
              notPorts: notValues.map(({ text }) => Number(text)),
            },
          ]
        : [],
    ),
  ];
  const set = limits.reduce((left, { ports, notPorts }) => {
    const kept = ports.length === 0 ? left : intersect(left, portSet(ports));
    return subtract(kept, portSet(notPorts));
  }, scope.ports);
  return portsOfProtocol(set, TCP).map(({ first, last }): PortMatch =>
    first === 0 && last === MAX_PORT
      ? { kind: "protocol", protocol: TCP }
      : { kind: "range", protocol: TCP, first, last },
  );
}

function predicates(
  source: Source | undefined,
  to: Operation | undefined,
  when: readonly IstioCondition[],
): readonly Predicate[] | undefined {
  const found: { readonly asks: "http" | "tls" | "any"; readonly condition: Condition }[] = [];
  const add = (
    attribute: Condition["attribute"],
    asks: "http" | "tls" | "any",
    values: readonly Pattern[] = [],
    notValues: readonly Pattern[] = [],
  ) => {
    if (values.length + notValues.length === 0) return;
    const matches = (patterns: readonly Pattern[]): TextMatch[] =>
      patterns.map(({ match }) => match);
    found.push({
      asks,
      condition: { attribute, anyOf: matches(values), noneOf: matches(notValues) },
    });
  };
  const blocks = (cidrs: readonly string[] = []): Pattern[] =>
    cidrs.map((text) => ({ text, match: { kind: "cidr", value: parseCidrOrAddress(text)!.cidr } }));
  add("request-principal", "http", source?.requestPrincipals, source?.notRequestPrincipals);
  add("remote-ip", "any", blocks(source?.remoteIpBlocks), blocks(source?.notRemoteIpBlocks));
  add("host", "http", to?.hosts, to?.notHosts);
  add("method", "http", to?.methods, to?.notMethods);
  add("path", "http", to?.paths, to?.notPaths);
  for (const { key, values = [], notValues = [] } of when) {
    if (key.kind !== "attribute") continue;
    const isAddress = key.attribute === "remote-ip";
    const read = (patterns: readonly Pattern[]) =>
      isAddress ? blocks(patterns.map(({ text }) => text)) : patterns;
    add(key.attribute, key.asks, read(values), read(notValues));
  }
  if (found.length === 0) return undefined;
  const kinds = found.map(({ asks }) => asks);
  const kind = kinds.includes("http") ? "http" : kinds.includes("tls") ? "tls" : "any";
  return [{ kind, conditions: found.map(({ condition }) => condition) }];
}
