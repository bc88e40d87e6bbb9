/**
 * Rules of the common form in Antrea's words. What a block says in several rules, for the log or of protocols that have no
 * requests, is one rule there.
 */
import {
  formatProtocol,
  ICMP,
  ICMPV6,
  MAX_PORT,
  SCTP,
  TCP,
  UDP,
  type Block,
  type Condition,
  type PortMatch,
  type Predicate,
  type Rule,
  type TextMatch,
} from "@bulkhead/model";
import { narrowed, type ExportedObject, type Losses } from "../export/exported.ts";
import { peerEntries, type Printing } from "./print-peers.ts";
import { IGMP } from "./ports.ts";
import { patternMatch } from "./requests.ts";

const ACTIONS: Readonly<Partial<Record<Rule["action"], string>>> = {
  allow: "Allow",
  deny: "Drop",
  reject: "Reject",
  pass: "Pass",
};
const WORDS: Readonly<Record<number, string>> = { [TCP]: "TCP", [UDP]: "UDP", [SCTP]: "SCTP" };

type Numbered = Extract<PortMatch, { kind: "range" | "protocol" }>;

const portEntry = (match: Exclude<PortMatch, { kind: "all" }>): ExportedObject | null => {
  const protocol = WORDS[match.protocol];
  if (match.kind === "named") return { protocol, port: match.name };
  if (match.kind === "protocol") return { protocol };
  const first = Math.max(1, match.first);
  if (match.last < first) return null;
  return { protocol, port: first, ...(match.last === first ? {} : { endPort: match.last }) };
};

/** Null: no type, nor a code of one. */
const icmpEntry = (match: Numbered): ExportedObject | null => {
  if (match.kind === "protocol") return { icmp: {} };
  const { first, last } = match;
  const icmpType = first >> 8;
  if (first === 0 && last === MAX_PORT) return { icmp: {} };
  if (first === last) return { icmp: { icmpType, icmpCode: first & 255 } };
  return (first & 255) === 0 && last === first + 255 ? { icmp: { icmpType } } : null;
};

interface Ports {
  readonly ports: readonly ExportedObject[];
  readonly protocols: readonly ExportedObject[];
}

/** ICMP is one protocol there, over both families: what one of them has and the other has not cannot be said. */
const protocolEntries = (rule: Rule, given: readonly Numbered[], losses: Losses) => {
  const texts = (protocol: number) =>
    new Map(
      given
        .filter((match) => match.protocol === protocol)
        .map((match) => [JSON.stringify(icmpEntry(match)), icmpEntry(match)]),
    );
  const [four, six] = [texts(ICMP), texts(ICMPV6)];
  const isOne =
    [...four.keys()].every((text) => six.has(text)) &&
    [...six.keys()].every((text) => four.has(text));
  if (!isOne || four.has("null")) {
    narrowed(rule, "ICMP of one family, or some of its codes", losses);
    return [];
  }
  return [...four.values()].flatMap<ExportedObject>((one) => one ?? []);
};

const portsOf = (rule: Rule, losses: Losses): Ports | "all" => {
  const plain = rule.ports.flatMap((match) => (match.kind === "all" ? [] : [match]));
  if (plain.length < rule.ports.length) return "all";
  const own = plain.filter(({ protocol }) => WORDS[protocol] !== undefined);
  const others = plain.flatMap((match) =>
    match.kind === "named" || own.includes(match) ? [] : [match],
  );
  const protocols = protocolEntries(rule, others, losses);
  const strange = others.filter(({ protocol }) => protocol !== ICMP && protocol !== ICMPV6);
  const [igmp] = strange;
  const isAlone = plain.length === 1 && rule.peers.some(({ kind }) => kind === "any");
  if (igmp?.protocol === IGMP && isAlone && (rule.action === "allow" || rule.action === "deny")) {
    return { ports: [], protocols: [{ igmp: {} }] };
  }
  for (const { protocol } of strange) {
    narrowed(rule, `protocol \`${formatProtocol(protocol)}\` beside others`, losses);
  }
  return { ports: own.flatMap<ExportedObject>((match) => portEntry(match) ?? []), protocols };
};

const patternOf = (match: TextMatch, ignoreCase: boolean): string | null => {
  const candidates = (): readonly string[] => {
    switch (match.kind) {
      case "exact":
        return [match.value];
      case "prefix":
        return [`${match.value}*`];
      case "suffix":
        return [`*${match.value}`];
      case "regex":
        return [`*${match.value.replace(/^\(\?i?s\)\.\*|\.\*$/g, "").replaceAll(/\\(.)/g, "$1")}*`];
      case "present":
      case "cidr":
        return [];
    }
  };
  const same = (text: string) =>
    JSON.stringify(patternMatch(text, ignoreCase)) === JSON.stringify(match);
  return candidates().find(same) ?? null;
};

const FIELDS: Readonly<
  Record<string, readonly [field: string, kind: string, ignoreCase: boolean]>
> = {
  method: ["method", "http", false],
  host: ["host", "http", true],
  target: ["path", "http", false],
  sni: ["sni", "tls", true],
};

/** Null: no words for it. */
const conditionEntry = (
  { attribute, anyOf, noneOf }: Condition,
  kind: string,
): ExportedObject | null => {
  const known = FIELDS[attribute];
  const [match, ...more] = anyOf;
  if (known === undefined || match === undefined || more.length + noneOf.length > 0) return null;
  const [field, of, ignoreCase] = known;
  const pattern = of === kind ? patternOf(match, ignoreCase) : null;
  return pattern === null ? null : { [field]: pattern };
};

const requestEntry = ({ kind, conditions }: Predicate): ExportedObject | null => {
  if (kind !== "http" && kind !== "tls") return null;
  const found = conditions.map((condition) => conditionEntry(condition, kind));
  const fields: ExportedObject = Object.assign({}, ...found);
  const isWhole = !found.includes(null) && Object.keys(fields).length === found.length;
  return isWhole ? { [kind]: fields } : null;
};

const requestEntries = (rule: Rule): readonly ExportedObject[] | null => {
  const found = (rule.l7 ?? []).map(requestEntry);
  const isTerminal = rule.l7Mode === "terminal" && rule.action === "allow";
  const entries = found.flatMap<ExportedObject>((one) => one ?? []);
  return isTerminal && rule.onOpaque !== "widen" && entries.length === found.length
    ? entries
    : null;
};

/** Beyond what Antrea has words for; null: nothing. */
const beyond = (rule: Rule): string | null => {
  if (rule.enforce === "staged") return "this rule only audits";
  if (rule.expiresAt !== undefined) return "this rule ends by itself";
  if (rule.auth === "required") return "this rule asks its ends to prove who they are";
  if (rule.l7 !== undefined && requestEntries(rule) === null)
    return "requests that are looked for in this way";
  return ACTIONS[rule.action] === undefined ? `action \`${rule.action}\`` : null;
};

/** One rule of Antrea's. */
interface Folded {
  readonly rule: Rule;
  readonly isLogged: boolean;
}

const sameMatch = (one: Rule, other: Rule): boolean =>
  JSON.stringify([one.peers, one.ports]) === JSON.stringify([other.peers, other.ports]);

/** A line for the log goes with the rule after it, and what is dropped for its protocol with the one before. */
const folded = ({ rules }: Block, losses: Losses): readonly Folded[] => {
  const out: Folded[] = [];
  const skipped = new Set<Rule>();
  for (const [at, rule] of rules.entries()) {
    if (skipped.has(rule)) continue;
    const [next, afterNext] = [rules[at + 1], rules[at + 2]];
    const isLog = rule.action === "log";
    const main = isLog ? next : rule;
    const other = isLog ? afterNext : next;
    const hasOther =
      main?.l7 !== undefined &&
      other !== undefined &&
      other.id === `${main.id}~other` &&
      JSON.stringify(main.peers) === JSON.stringify(other.peers);
    const whole = main === undefined || !hasOther ? main : { ...main, ports: other.ports };
    if (whole === undefined || (isLog && !sameMatch(rule, whole))) {
      losses.accept("under", rule.source, "this rule only logs");
      continue;
    }
    if (isLog && main !== undefined) skipped.add(main);
    if (hasOther) skipped.add(other);
    out.push({ rule: whole, isLogged: isLog });
  }
  return out;
};

export interface PrintedRule {
  readonly rule: Rule;
  readonly words: ExportedObject;
}

export const printedRules = (block: Block, printing: Printing): readonly PrintedRule[] => {
  const { losses } = printing;
  return folded(block, losses).flatMap(({ rule, isLogged }): PrintedRule[] => {
    const problem = beyond(rule);
    if (problem !== null) {
      narrowed(rule, problem, losses);
      return [];
    }
    const peers = peerEntries(rule, block.direction, printing);
    const ports = portsOf(rule, losses);
    const isNobody = peers !== "everyone" && peers.length === 0;
    if (isNobody || (ports !== "all" && ports.ports.length + ports.protocols.length === 0))
      return [];
    const requests = requestEntries(rule) ?? [];
    const given = ports === "all" ? { ports: [], protocols: [] } : ports;
    const words: ExportedObject = {
      action: ACTIONS[rule.action],
      ...(peers === "everyone" ? {} : { [block.direction === "ingress" ? "from" : "to"]: peers }),
      ...(given.ports.length === 0 ? {} : { ports: given.ports }),
      ...(given.protocols.length === 0 ? {} : { protocols: given.protocols }),
      ...(requests.length === 0 ? {} : { l7Protocols: requests }),
      ...(isLogged ? { enableLogging: true } : {}),
    };
    return [{ rule, words }];
  });
};
