/** Ports and requests of a rule as `toPorts` and `icmps`. Throws `Unsayable`. */
import {
  formatProtocol,
  ICMP,
  ICMPV6,
  SCTP,
  TCP,
  UDP,
  type Condition,
  type PortMatch,
  type Predicate,
  type Rule,
  type TextMatch,
} from "@bulkhead/model";
import { RE2JS } from "re2js";

import { WITHOUT_PORTS } from "./port-entry.ts";
import { Unsayable } from "./unsayable.ts";

type Section = Readonly<Record<string, unknown>>;

/** What one entry of `toPorts` or `icmps` may list. */
const MOST = 40;

const NAMES: ReadonlyMap<number, string> = new Map([
  [TCP, "TCP"],
  [UDP, "UDP"],
  [SCTP, "SCTP"],
  ...Object.entries(WITHOUT_PORTS).map(([name, number]) => [number, name] as const),
]);

const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / MOST) }, (_, i) =>
    items.slice(i * MOST, (i + 1) * MOST),
  );

const isIcmp = (port: PortMatch): boolean =>
  port.kind !== "all" && (port.protocol === ICMP || port.protocol === ICMPV6);

const types = (port: PortMatch): readonly Section[] => {
  if (port.kind === "all" || port.kind === "named")
    throw new Unsayable("this rule names a port of ICMP");
  const [first, last] = port.kind === "protocol" ? [0, 65535] : [port.first, port.last];
  if (first % 256 !== 0 || last % 256 !== 255) {
    throw new Unsayable("this rule tells apart codes of ICMP");
  }
  const family = port.protocol === ICMP ? "IPv4" : "IPv6";
  const count = (last + 1 - first) / 256;
  return Array.from({ length: count }, (_, i) => ({ family, type: first / 256 + i }));
};

const portEntry = (port: PortMatch): Section => {
  if (port.kind === "all") throw new Unsayable("this rule looks into requests at every port");
  const protocol = NAMES.get(port.protocol);
  if (protocol === undefined) throw new Unsayable(`protocol \`${formatProtocol(port.protocol)}\``);
  switch (port.kind) {
    case "protocol":
      return { port: "0", protocol };
    case "named":
      return { port: port.name, protocol };
    case "range":
      if (port.first === 0) throw new Unsayable("port 0");
      return {
        port: String(port.first),
        ...(port.last === port.first ? {} : { endPort: port.last }),
        protocol,
      };
  }
};

const expressionOf = (match: TextMatch): string => {
  const folded = "ignoreCase" in match && match.ignoreCase === true ? "(?i)" : "";
  switch (match.kind) {
    case "exact":
      return `${folded}${RE2JS.quote(match.value)}`;
    case "prefix":
      return `${folded}${RE2JS.quote(match.value)}.*`;
    case "suffix":
      return `${folded}.*${RE2JS.quote(match.value)}`;
    case "present":
      return ".+";
    case "regex":
      return match.value;
    case "cidr":
      throw new Unsayable("this rule looks for an address in requests");
  }
};

const anyOf = ({ anyOf: matches }: Condition): string => {
  const [only, ...more] = matches.map(expressionOf);
  if (only === undefined) return ".*";
  return more.length === 0 ? only : [only, ...more].map((one) => `(?:${one})`).join("|");
};

const headerLine = ({ attribute, anyOf: matches }: Condition): string => {
  const name = attribute.slice("header:".length);
  const [only, ...more] = matches;
  if (more.length === 0 && only?.kind === "exact" && only.ignoreCase !== true) {
    return `${name}: ${only.value}`;
  }
  if (more.length === 0 && only?.kind === "prefix" && only.value === "") return name;
  throw new Unsayable(`this rule asks more of \`${name}\` than one value`);
};

const httpRule = ({ conditions }: Predicate): Section => {
  const rule: Record<string, unknown> = {};
  const headers: string[] = [];
  for (const condition of conditions) {
    const { attribute } = condition;
    if (attribute.startsWith("header:")) headers.push(headerLine(condition));
    else {
      const field = attribute === "target" ? "path" : attribute;
      if (field !== "path" && field !== "method" && field !== "host") {
        throw new Unsayable(`this rule asks for \`${attribute}\``);
      }
      if (field in rule) throw new Unsayable(`this rule asks twice for \`${field}\``);
      const value = anyOf(condition);
      // Its path is the one that was sent, with the query.
      rule[field] = attribute === "path" ? `(?:${value})(?:[?].*)?` : value;
    }
  }
  return headers.length === 0 ? rule : { ...rule, headers };
};

/** Each as `matchPattern`, or as the name of a server, from what `names.ts` made of it. */
const nameIn = (match: TextMatch): string => {
  if (match.kind === "exact") return match.value;
  if (match.kind !== "regex") throw new Unsayable("this rule asks for names by expressions");
  const several = "[-a-z0-9_]+(?:[.][-a-z0-9_]+)*[.]";
  const every = "(?:[-a-z0-9_]+[.])*[-a-z0-9_]+";
  if (match.value === every) return "*";
  const text = match.value
    .replace(several, "**.")
    .replaceAll("[-a-z0-9_]*", "*")
    .replaceAll("[.]", ".");
  if (/^[-a-z0-9_.*]+$/.test(text)) return text;
  throw new Unsayable("this rule asks for names by expressions");
};

const names = ({ conditions }: Predicate, attribute: "dns" | "sni"): readonly string[] => {
  const [only, ...more] = conditions;
  if (only?.attribute === attribute && more.length === 0) return only.anyOf.map(nameIn);
  throw new Unsayable("this rule asks for more than the name");
};

const requestSection = (kind: Predicate["kind"], asked: readonly Predicate[]): Section => {
  if (asked.some(({ conditions }) => conditions.some(({ noneOf }) => noneOf.length > 0))) {
    throw new Unsayable("this rule excludes requests");
  }
  switch (kind) {
    case "http":
      return { rules: { http: asked.map(httpRule) } };
    case "dns":
      return {
        rules: {
          dns: asked.flatMap((one) => names(one, "dns").map((name) => ({ matchPattern: name }))),
        },
      };
    case "tls":
      return { serverNames: asked.flatMap((one) => names(one, "sni")) };
    case "any":
      throw new Unsayable("this rule holds requests of every kind");
  }
};

const withRequests = (
  ports: readonly PortMatch[],
  l7: readonly Predicate[],
): readonly Section[] => {
  const isNumber = (port: PortMatch) =>
    port.kind === "named" || (port.kind === "range" && port.first > 0);
  if (!ports.every(isNumber)) throw new Unsayable("this rule looks into requests at every port");
  const isTcp = ports.every((port) => port.kind !== "all" && port.protocol === TCP);
  const kinds = [...Map.groupBy(l7, ({ kind }) => kind)];
  if (!isTcp && kinds.some(([kind]) => kind !== "dns")) {
    throw new Unsayable("this rule looks into requests of another protocol than TCP");
  }
  if (kinds.some(([kind]) => kind === "http") && kinds.some(([kind]) => kind === "dns")) {
    throw new Unsayable("this rule has two parsers at one port");
  }
  return chunks(ports).flatMap((some) =>
    kinds.map(([kind, asked]) => ({
      toPorts: [{ ports: some.map(portEntry), ...requestSection(kind, asked) }],
    })),
  );
};

/** Each is a rule of its own; empty: no port matches. */
export const portSections = ({ ports, l7 }: Rule): readonly Section[] => {
  if (l7 !== undefined) return withRequests(ports, l7);
  if (ports.some(({ kind }) => kind === "all")) return [{}];
  const echoes = ports.filter(isIcmp).flatMap(types);
  const others = ports.filter((port) => !isIcmp(port));
  return [
    ...chunks(others).map((some) => ({ toPorts: [{ ports: some.map(portEntry) }] })),
    ...chunks(echoes).map((some) => ({ icmps: [{ fields: some }] })),
  ];
};
