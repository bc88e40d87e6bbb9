/**
 * What people may ask of flows, as text: selectors, addresses, protocols, ports, verdicts. Reading gives values for a
 * store, or what is wrong, where, and how it is written; the API and the command line share it, so that both say the same.
 */
import {
  FLOW_VERDICTS,
  parseCidr,
  parseDomainPattern,
  parseIp,
  parsePort,
  parseProtocol,
  parseSelector,
  PROTOCOL_NAMES,
  PROTOCOLS_WITH_PORTS,
  type DomainPattern,
  type FlowVerdict,
  type IpRange,
  type PortInterval,
  type ProtocolNumber,
  type Selector,
} from "@bulkhead/model";

export type Read<T> =
  | { readonly value: T }
  | {
      readonly error: string;
      readonly help: string;
      /** The word that is wrong, and those that could be meant. */
      readonly wrong?: { readonly word: string; readonly known: readonly string[] };
    };

/** Any case: other tools shout their verdicts. */
export function readVerdict(text: string): Read<FlowVerdict> {
  const known = FLOW_VERDICTS.find((verdict) => verdict === text.toLowerCase());
  return known === undefined
    ? {
        error: `\`${text}\` is not a verdict`,
        help: `use ${FLOW_VERDICTS.join(", ")}`,
        wrong: { word: text, known: FLOW_VERDICTS },
      }
    : { value: known };
}

const SELECTOR_HELP = "write it like `app=web`, `app in (web,api),tier!=test` or `!canary`";

/** One selector, in Kubernetes' syntax. The empty one would select everything, and is refused. */
export function readSelector(text: string): Read<Selector> {
  if (text.trim() === "") return { error: "an empty selector selects all", help: SELECTOR_HELP };
  const parsed = parseSelector(text);
  if (!("error" in parsed)) return { value: parsed.selector };
  const meant = meantSelector(text);
  return {
    error: `\`${text}\`: ${parsed.error}, at character ${parsed.offset + 1}`,
    help: meant === undefined ? SELECTOR_HELP : `did you mean \`${meant}\`?`,
  };
}

/** `app:web` for `app=web`, and `k8s:app=web` as Hubble writes where a label comes from. */
function meantSelector(text: string): string | undefined {
  const candidates = [
    text.replaceAll(/\b(k8s|any|container|reserved):/g, ""),
    text.replace(":", "="),
  ];
  return candidates.find((one) => one !== text && !("error" in parseSelector(one)));
}

const ADDRESS_HELP = "write it like 10.0.0.7, 10.0.0.0/8 or fd00::/8";

/** An address, or a prefix without host bits: `10.0.0.7/8` could mean either. */
export function readAddresses(text: string): Read<IpRange> {
  const ip = parseIp(text);
  if (ip !== null) return { value: { family: ip.family, first: ip.value, last: ip.value } };
  const parsed = parseCidr(text);
  if (parsed === null) {
    return { error: `\`${text}\` is neither an address nor a prefix`, help: ADDRESS_HELP };
  }
  if (!parsed.hadHostBits) return { value: parsed.range };
  const address = text.slice(0, text.indexOf("/"));
  return {
    error: `\`${text}\` is an address with the length of a prefix`,
    help: `did you mean \`${parsed.cidr}\` or \`${address}\`?`,
  };
}

/** A name, or a pattern with `*` for any characters. */
export function readDomain(text: string): Read<DomainPattern> {
  const pattern = parseDomainPattern(text);
  return pattern === null
    ? {
        error: `\`${text}\` is not a domain name or a pattern of one`,
        help: "write it like db.example.com or *.example.com",
      }
    : { value: pattern };
}

export function readProtocol(text: string): Read<ProtocolNumber> {
  const protocol = parseProtocol(text);
  if (protocol !== null) return { value: protocol };
  return {
    error: `\`${text}\` is not a protocol`,
    help: "use tcp, udp, sctp, icmp, icmpv6 or a number as in proto-47",
    wrong: { word: text, known: PROTOCOL_NAMES },
  };
}

export interface PortFilter extends PortInterval {
  readonly protocol: ProtocolNumber;
}

const PORT_HELP = "for example `5432/tcp`, `53`, `8000-8100/tcp` or `icmp/echo-request`";

/** A number alone is that port of every protocol with ports: to look is not to allow. */
export function readPorts(text: string): Read<readonly PortFilter[]> {
  const bare = /^\d+(-\d+)?$/.test(text);
  const parsed = parsePort(text);
  if ("error" in parsed) {
    const { error } = parsed;
    const told = error.includes(`\`${text}\``) ? error : `\`${text}\`: ${error}`;
    return { error: told, help: PORT_HELP };
  }
  const { match } = parsed;
  switch (match.kind) {
    case "protocol":
      return { value: [{ protocol: match.protocol, first: 0, last: 65_535 }] };
    case "range": {
      const { first, last } = match;
      const protocols = bare ? PROTOCOLS_WITH_PORTS : [match.protocol];
      return { value: protocols.map((protocol) => ({ protocol, first, last })) };
    }
    case "all":
    case "named":
      return { error: `\`${text}\` is not a port by number`, help: PORT_HELP };
  }
}
