/** Rules of the common form in Calico's words: one for every end, protocol and predicate, since Calico takes one of each a rule. */
import {
  allPorts,
  formatProtocol,
  ICMP,
  ICMPV6,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  SCTP,
  subtract,
  TCP,
  UDP,
  type Cidr,
  type Direction,
  type PortInterval,
  type PortMatch,
  type Predicate,
  type ProtocolNumber,
  type Rule,
} from "@bulkhead/model";
import { narrowed, type ExportedObject, type Losses } from "../export/exported.ts";
import { hasPorts } from "./ports.ts";
import { endsOf, isSix, type Printing } from "./print-ends.ts";

const ACTIONS: Readonly<Partial<Record<Rule["action"], string>>> = {
  allow: "Allow",
  deny: "Deny",
  pass: "Pass",
  log: "Log",
};
const NAMES: Readonly<Record<number, string>> = {
  [TCP]: "TCP",
  [UDP]: "UDP",
  [SCTP]: "SCTP",
  [ICMP]: "ICMP",
  [ICMPV6]: "ICMPv6",
};
const nameOf = (protocol: ProtocolNumber): string | number => NAMES[protocol] ?? protocol;

interface Match {
  readonly words: ExportedObject;
  readonly ports?: readonly (string | number)[];
  readonly notPorts?: readonly (string | number)[];
}

const isWhole = ([only, ...more]: readonly PortInterval[]): boolean =>
  only !== undefined && more.length === 0 && only.first === 0 && only.last === MAX_PORT;

const without = (protocol: ProtocolNumber, intervals: readonly PortInterval[]) =>
  portsOfProtocol(
    subtract(
      allPorts,
      portsOf(
        intervals.map((one) => ({ kind: "range", protocol, ...one })),
        () => [],
      ),
    ),
    protocol,
  );

const echoes = (
  rule: Rule,
  protocol: ProtocolNumber,
  intervals: readonly PortInterval[],
  losses: Losses,
): readonly Match[] =>
  intervals.flatMap(({ first, last }): Match[] => {
    const [type, code] = [first >> 8, first & 255];
    const isType = code === 0 && last === first + 255;
    if ((isType || first === last) && type <= 254)
      return [{ words: { protocol: nameOf(protocol), icmp: isType ? { type } : { type, code } } }];
    narrowed(rule, "several types or codes of ICMP together", losses);
    return [];
  });

/** Of one protocol, without names. */
const ofProtocol = (
  rule: Rule,
  protocol: ProtocolNumber,
  intervals: readonly PortInterval[],
  losses: Losses,
): readonly Match[] => {
  const words = { protocol: nameOf(protocol) };
  if (intervals.length === 0) return [];
  if (isWhole(intervals) && protocol > 0) return [{ words }];
  if (hasPorts(protocol)) {
    const listed = (some: readonly PortInterval[]) =>
      some.map(({ first, last }) => (first === last ? first : `${first}:${last}`));
    // Port 0 has no word there but as one that is not excluded.
    return intervals[0]?.first === 0
      ? [{ words, notPorts: listed(without(protocol, intervals)) }]
      : [{ words, ports: listed(intervals) }];
  }
  if (protocol === ICMP || protocol === ICMPV6) return echoes(rule, protocol, intervals, losses);
  narrowed(rule, `protocol \`${formatProtocol(protocol)}\``, losses);
  return [];
};

const PROTOCOLS = Array.from({ length: 256 }, (_, number) => number);

const matchesOf = (rule: Rule, losses: Losses): readonly Match[] => {
  const isNamed = (match: PortMatch) => match.kind === "named";
  const named = Map.groupBy(rule.ports.filter(isNamed), ({ protocol }) => protocol);
  const set = portsOf(
    rule.ports.filter((match) => !isNamed(match)),
    () => [],
  );
  const partial = PROTOCOLS.filter((one) => !isWhole(portsOfProtocol(set, one)));
  if (partial.length === 0) return [{ words: {} }];
  const numbers =
    partial.length === 1 && partial[0]! > 0
      ? [
          { words: { notProtocol: nameOf(partial[0]!) } },
          ...ofProtocol(rule, partial[0]!, portsOfProtocol(set, partial[0]!), losses),
        ]
      : PROTOCOLS.flatMap((one) => ofProtocol(rule, one, portsOfProtocol(set, one), losses));
  const names = [...named].map(([protocol, matches]): Match => ({
    words: { protocol: nameOf(protocol) },
    ports: matches.map(({ name }) => name),
  }));
  return [...numbers, ...names];
};

/** Null: no words for it. */
const httpOf = ({ kind, conditions }: Predicate): ExportedObject | null => {
  const methods: string[] = [];
  const paths: ExportedObject[] = [];
  for (const { attribute, anyOf, noneOf } of conditions) {
    if (noneOf.length > 0 || (attribute !== "method" && attribute !== "path")) return null;
    const isTwice = (attribute === "method" ? methods : paths).length > 0;
    for (const match of anyOf) {
      if (isTwice || ("ignoreCase" in match && match.ignoreCase === true)) return null;
      if (match.kind === "exact" && attribute === "method") methods.push(match.value);
      else if (match.kind === "exact") paths.push({ exact: match.value });
      else if (match.kind === "prefix" && attribute === "path") paths.push({ prefix: match.value });
      else return null;
    }
  }
  if (kind !== "http") return null;
  return {
    ...(methods.length === 0 ? {} : { methods }),
    ...(paths.length === 0 ? {} : { paths }),
  };
};

/** What Calico has no words for; null: nothing. */
const beyond = ({
  enforce,
  expiresAt,
  auth,
  l7,
  l7Mode,
  onOpaque,
  action,
}: Rule): string | null => {
  if (enforce === "staged") return "this rule only audits";
  if (expiresAt !== undefined) return "this rule ends by itself";
  if (auth === "required") return "this rule asks its ends to prove who they are";
  if (l7 === undefined) return null;
  const isPlain = action === "allow" && l7Mode !== "terminal" && onOpaque !== "widen";
  return isPlain && l7.every((one) => httpOf(one) !== null)
    ? null
    : "requests that are looked for in this way";
};

/** Who is rejected is denied as well, and not told. */
const actionOf = (rule: Rule, losses: Losses): string | undefined => {
  const known = ACTIONS[rule.action];
  if (known !== undefined) return known;
  if (rule.action === "reject")
    return losses.choose(rule, "this rule says `reject`") === null ? undefined : ACTIONS.deny;
  narrowed(rule, `this rule says \`${rule.action}\``, losses);
  return undefined;
};

export const printedRules = (
  rule: Rule,
  direction: Direction,
  printing: Printing,
): readonly ExportedObject[] => {
  const { losses } = printing;
  const missing = beyond(rule);
  if (missing !== null) {
    narrowed(rule, missing, losses);
    return [];
  }
  const action = actionOf(rule, losses);
  if (action === undefined) return [];
  const found = endsOf(rule, printing);
  const ends = found === "everyone" ? [undefined] : found;
  const asked: readonly (ExportedObject | undefined)[] =
    rule.l7 === undefined ? [undefined] : rule.l7.map((one) => httpOf(one) ?? {});
  const matches = matchesOf(rule, losses).filter(
    ({ words }) => rule.l7 === undefined || words["protocol"] === "TCP" || isAll(words),
  );
  return ends.flatMap((end) =>
    matches
      .filter(({ words }) => canMeet(end, words))
      .flatMap(({ words, ports, notPorts }) =>
        asked.map((http) => {
          const target = {
            ...(ports === undefined ? {} : { ports }),
            ...(notPorts === undefined ? {} : { notPorts }),
          };
          const sides =
            direction === "ingress"
              ? { source: end ?? {}, destination: target }
              : { source: {}, destination: { ...end, ...target } };
          const given = Object.entries(sides).filter(([, side]) => Object.keys(side).length > 0);
          return {
            action,
            ...words,
            ...(http === undefined ? {} : { http }),
            ...Object.fromEntries(given),
          };
        }),
      ),
  );
};

/** ICMP is IPv4's, and ICMPv6 IPv6's. */
const canMeet = (end: ExportedObject | undefined, { protocol }: ExportedObject): boolean => {
  const [first] = (end?.["nets"] ?? []) as readonly Cidr[];
  if (first === undefined) return true;
  return protocol !== (isSix(first) ? NAMES[ICMP] : NAMES[ICMPV6]);
};

const isAll = (words: ExportedObject): boolean => Object.keys(words).length === 0;
