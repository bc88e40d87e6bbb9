/**
 * Names for what is proposed, made of what it is and of nothing else: a resource keeps its name from run to run, whatever
 * else was seen in between. They are names as Kubernetes has them (RFC 1123 subdomain).
 */
import { SCTP, TCP, UDP, type IpAddress, type SuggestedPort } from "@bulkhead/model";

const LONGEST_PART = 63;
const SHOWN_PORTS = 3;

/** A label value as part of a resource name (RFC 1123 label). */
export function nameOf(value: string): string {
  const name = value
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return name === "" ? "unnamed" : name;
}

/** A domain name keeps its dots: a service of DNS (`_sip._tcp.example.com`) loses what a resource may not have. */
export function domainNameOf(domain: string): string {
  const parts = domain
    .toLowerCase()
    .split(".")
    .map((part) => part.replaceAll(/[^a-z0-9-]+/g, "-").replaceAll(/^-+|-+$/g, ""))
    .filter((part) => part !== "");
  return parts.length === 0 ? "unnamed" : parts.join(".");
}

const RESOLVER = "dns-at-";

/** `dns-at-203.0.113.1`, `dns-at-2001-db8-0-1`: of an address that is asked for names. */
export function resolverName(address: IpAddress): string {
  return `${RESOLVER}${domainNameOf(address.replace("::", ":0:").replaceAll(":", "-"))}`;
}

export function isResolverName(name: string): boolean {
  return name.startsWith(RESOLVER);
}

/** What is too long for a part of a name is cut, and told apart by a digest of the whole. */
export function fitting(name: string): string {
  return name
    .split(".")
    .map((part) =>
      part.length <= LONGEST_PART ? part : `${part.slice(0, LONGEST_PART - 9)}-${digest(part)}`,
    )
    .join(".");
}

/** FNV-1a, 32 bits: names are told apart by it, nothing is secured. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}

/** `443`, `443-udp-443`, `80-81-82-and-4-more`: TCP goes without saying. Sorted ports. */
export function portsName(ports: readonly SuggestedPort[]): string {
  const words = ports.map(({ protocol, port }) => `${prefixOf(protocol)}${port}`);
  const rest = words.length - SHOWN_PORTS;
  const shown = words.slice(0, SHOWN_PORTS).join("-");
  return rest > 0 ? `${shown}-and-${rest}-more` : shown;
}

function prefixOf(protocol: number): string {
  if (protocol === TCP) return "";
  if (protocol === UDP) return "udp-";
  return protocol === SCTP ? "sctp-" : `proto-${protocol}-`;
}
