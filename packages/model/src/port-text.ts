/**
 * Ports as people write them: `5432/tcp`, `8000-8100/tcp`, `http/tcp`, `tcp`, `icmp/echo-request`, `icmp/3/1`,
 * `all`. Reading gives a PortMatch or the place of the mistake; writing gives text that reads back the same.
 */
import {
  allPorts,
  equalPorts,
  ICMP,
  ICMPV6,
  isEmptyPorts,
  MAX_PORT,
  SCTP,
  subtract,
  TCP,
  UDP,
} from "./protocol.ts";
import type { PortInterval, PortMatch, PortSet, ProtocolNumber } from "./protocol.ts";

/** IANA protocol names we read and write; any other protocol is `proto-N`. */
const PROTOCOLS: Readonly<Record<string, ProtocolNumber>> = {
  icmp: ICMP,
  igmp: 2,
  ipip: 4,
  tcp: TCP,
  udp: UDP,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: ICMPV6,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  sctp: SCTP,
  udplite: 136,
};
const NAME_OF = new Map(Object.entries(PROTOCOLS).map(([name, number]) => [number, name]));
/** Every name that `parseProtocol` reads. */
export const PROTOCOL_NAMES: readonly string[] = Object.keys(PROTOCOLS);
/** Those whose packets carry port numbers. */
export const PROTOCOLS_WITH_PORTS: readonly ProtocolNumber[] = [TCP, UDP, SCTP, 33, 136];
const WITH_PORTS = new Set<ProtocolNumber>(PROTOCOLS_WITH_PORTS);

/** RFC 792 and successors, in nftables' spelling. */
const ICMP_TYPES: Readonly<Record<string, number>> = {
  "echo-reply": 0,
  "destination-unreachable": 3,
  "source-quench": 4,
  redirect: 5,
  "echo-request": 8,
  "router-advertisement": 9,
  "router-solicitation": 10,
  "time-exceeded": 11,
  "parameter-problem": 12,
  "timestamp-request": 13,
  "timestamp-reply": 14,
};
/** RFC 4443, 4861 and 2710, in nftables' spelling. */
const ICMPV6_TYPES: Readonly<Record<string, number>> = {
  "destination-unreachable": 1,
  "packet-too-big": 2,
  "time-exceeded": 3,
  "parameter-problem": 4,
  "echo-request": 128,
  "echo-reply": 129,
  "mld-listener-query": 130,
  "mld-listener-report": 131,
  "mld-listener-done": 132,
  "nd-router-solicit": 133,
  "nd-router-advert": 134,
  "nd-neighbor-solicit": 135,
  "nd-neighbor-advert": 136,
  "nd-redirect": 137,
  "mld2-listener-report": 143,
};
const TYPES_OF = new Map([
  [ICMP, ICMP_TYPES],
  [ICMPV6, ICMPV6_TYPES],
]);
const TYPE_NAME_OF = new Map(
  [...TYPES_OF].map(([protocol, types]) => [
    protocol,
    new Map(Object.entries(types).map(([name, type]) => [type, name])),
  ]),
);

/** IANA service name (RFC 6335 §5.1), as Kubernetes demands of port names. */
const SERVICE_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*$/;

export type ParsedPort =
  | { readonly match: PortMatch }
  | { readonly error: string; readonly offset: number };

/** Number of a protocol by name (any case) or `proto-N`; null when unknown. */
export const parseProtocol = (text: string): ProtocolNumber | null => {
  const lower = text.toLowerCase();
  if (Object.hasOwn(PROTOCOLS, lower)) return PROTOCOLS[lower] ?? null;
  const number = /^proto-(\d{1,3})$/.exec(lower);
  const value = number === null ? -1 : Number(number[1]);
  return value >= 0 && value <= 255 ? value : null;
};

export const formatProtocol = (protocol: ProtocolNumber): string =>
  NAME_OF.get(protocol) ?? `proto-${protocol}`;

export const isServiceName = (text: string): boolean => SERVICE_NAME.test(text);

const fail = (error: string, offset = 0): ParsedPort => ({ error, offset });

const numbers = (text: string, limit: number): PortInterval | null => {
  const parts = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (parts === null) return null;
  const first = Number(parts[1]);
  const last = parts[2] === undefined ? first : Number(parts[2]);
  return last <= limit ? { first, last } : null;
};

/** `icmp/TYPE`, `icmp/TYPE/CODE`; types by name or number, both may be ranges (`icmp/3/0-4`, `icmp/9-10`). */
const icmpPort = (protocol: ProtocolNumber, typeText: string, codeText?: string): ParsedPort => {
  const at = formatProtocol(protocol).length + 1;
  const named = TYPES_OF.get(protocol)?.[typeText.toLowerCase()];
  const types = named === undefined ? numbers(typeText, 255) : { first: named, last: named };
  if (types === null || types.first > types.last) {
    return fail(`\`${typeText}\` is not a type of ${formatProtocol(protocol)}`, at);
  }
  if (codeText === undefined) {
    return {
      match: { kind: "range", protocol, first: types.first * 256, last: types.last * 256 + 255 },
    };
  }
  const codes = numbers(codeText, 255);
  const codeAt = at + typeText.length + 1;
  if (codes === null || codes.first > codes.last) {
    return fail(`\`${codeText}\` is not an ICMP code`, codeAt);
  }
  if (types.first !== types.last) return fail("a code needs one single type", codeAt);
  const base = types.first * 256;
  return { match: { kind: "range", protocol, first: base + codes.first, last: base + codes.last } };
};

/**
 * One port match. `5432` alone is TCP; a name needs its protocol (`http/tcp`), so that a mistyped
 * protocol is not taken for a port name.
 */
export const parsePort = (text: string): ParsedPort => {
  if (text === "all") return { match: { kind: "all" } };
  const parts = text.split("/");
  const [head = "", second, third] = parts;
  if (parts.length > 3) return fail("too many `/`", text.lastIndexOf("/"));
  const leading = parseProtocol(head);
  if (leading !== null && TYPES_OF.has(leading) && second !== undefined) {
    return icmpPort(leading, second, third);
  }
  if (third !== undefined) return fail("only ICMP has a second `/`", text.lastIndexOf("/"));
  if (leading !== null && second !== undefined) {
    return fail(`the protocol comes last: \`${second}/${head}\``);
  }
  if (leading !== null) {
    return { match: { kind: "protocol", protocol: leading } };
  }
  const isNumeric = /^\d/.test(head) && !SERVICE_NAME.test(head);
  if (second === undefined && !isNumeric) {
    return fail(
      `\`${text}\` is neither a port nor a protocol; a port name needs its protocol, as in \`http/tcp\``,
    );
  }
  const protocol = second === undefined ? TCP : parseProtocol(second);
  if (protocol === null) return fail(`unknown protocol \`${second}\``, head.length + 1);
  if (!WITH_PORTS.has(protocol)) {
    return fail(`${formatProtocol(protocol)} has no ports`, head.length + 1);
  }
  if (!isNumeric) {
    return SERVICE_NAME.test(head)
      ? { match: { kind: "named", protocol, name: head } }
      : fail(`\`${head}\` is not a port, a range of ports, or a port name`);
  }
  const range = numbers(head, MAX_PORT);
  if (range === null || range.first < 1) {
    return fail(`\`${head}\` is not a port; ports are 1 to ${MAX_PORT}`);
  }
  if (range.first > range.last) {
    return fail(`the range \`${head}\` ends before it starts`, head.indexOf("-") + 1);
  }
  return { match: { kind: "range", protocol, ...range } };
};

const icmpTexts = (protocol: ProtocolNumber, { first, last }: PortInterval): string[] => {
  const name = formatProtocol(protocol);
  const out: string[] = [];
  const typeText = (type: number): string => TYPE_NAME_OF.get(protocol)?.get(type) ?? String(type);
  const partial = (type: number, from: number, to: number): string =>
    `${name}/${type}/${from === to ? from : `${from}-${to}`}`;
  let type = first >> 8;
  const lastType = last >> 8;
  const firstCode = first & 255;
  const lastCode = last & 255;
  if (type === lastType && (firstCode > 0 || lastCode < 255)) {
    return [partial(type, firstCode, lastCode)];
  }
  if (firstCode > 0) {
    out.push(partial(type, firstCode, 255));
    type += 1;
  }
  const wholeEnd = lastCode === 255 ? lastType : lastType - 1;
  if (wholeEnd > type) out.push(`${name}/${type}-${wholeEnd}`);
  else if (wholeEnd === type) out.push(`${name}/${typeText(type)}`);
  if (wholeEnd < lastType) out.push(partial(lastType, 0, lastCode));
  return out;
};

const intervalTexts = (protocol: ProtocolNumber, interval: PortInterval): string[] => {
  if (interval.first === 0 && interval.last === MAX_PORT) return [formatProtocol(protocol)];
  if (TYPES_OF.has(protocol)) return icmpTexts(protocol, interval);
  const { first, last } = interval;
  return [`${first === last ? first : `${first}-${last}`}/${formatProtocol(protocol)}`];
};

/** One destination port of one flow: `5432/tcp`, `icmp/echo-request`, `icmp/3/1`, `gre`. */
export const formatPort = (protocol: ProtocolNumber, port: number): string => {
  const types = TYPE_NAME_OF.get(protocol);
  if (types !== undefined) {
    const name = types.get(port >> 8);
    const typeOnly = name !== undefined && (port & 255) === 0;
    return typeOnly
      ? `${formatProtocol(protocol)}/${name}`
      : `${formatProtocol(protocol)}/${port >> 8}/${port & 255}`;
  }
  return WITH_PORTS.has(protocol)
    ? `${port}/${formatProtocol(protocol)}`
    : formatProtocol(protocol);
};

/** Text that `parsePort` reads back; an ICMP range of several partial types has several texts. */
export const formatPortMatch = (match: PortMatch): readonly string[] => {
  switch (match.kind) {
    case "all":
      return ["all"];
    case "protocol":
      return [formatProtocol(match.protocol)];
    case "named":
      return [`${match.name}/${formatProtocol(match.protocol)}`];
    case "range":
      return intervalTexts(match.protocol, match);
  }
};

const listed = (set: PortSet): string =>
  set.byProtocol
    .flatMap(({ protocol, intervals }) =>
      intervals.flatMap((interval) => intervalTexts(protocol, interval)),
    )
    .join(", ");

/** A whole set for people: `5432/tcp, 8000-8100/tcp`, `all`, `none`, `all except 22/tcp`. */
export const formatPorts = (set: PortSet): string => {
  if (isEmptyPorts(set)) return "none";
  if (equalPorts(set, allPorts)) return "all";
  return set.others ? `all except ${listed(subtract(allPorts, set))}` : listed(set);
};
