/** Where native resources speak of the network: prefixes, addresses and ports, read into their refined types where they stand. */
import {
  canonicalIp,
  groupEntityOf,
  parseCidr,
  parseIp,
  parsePort,
  type Cidr,
  type IpAddress,
  type ParsedCidr,
  type PortMatch,
} from "@bulkhead/model";
import { described, list, refined, refinedOrNumber, shared, type Refined } from "../text/shape.ts";

const CIDR_HELP = "for example `10.0.0.0/8` or `2001:db8::/32`";

/**
 * A prefix as it is read. That an IPv4-mapped one is of IPv4 is said aloud: other readers of such a text take it for
 * addresses of IPv6, which no packet of IPv4 is among.
 */
export const readCidr = (value: string, { cidr: read, range }: ParsedCidr): Refined<Cidr> =>
  range.family === 6 || !value.includes(":")
    ? { value: read }
    : {
        value: read,
        warning: {
          code: "BH0211",
          error: `\`${value}\` is a prefix of IPv4, written as one of IPv6`,
          help: `read as \`${read}\``,
        },
      };

export const parseCidrText = (value: string): Refined<Cidr> => {
  const parsed = parseCidr(value);
  if (parsed === null) {
    const ip = parseIp(value);
    return {
      code: "BH0203",
      error: `\`${value}\` is not a prefix`,
      help:
        ip === null
          ? CIDR_HELP
          : `for this one address write \`${value}/${ip.family === 4 ? 32 : 128}\``,
    };
  }
  return parsed.hadHostBits
    ? {
        code: "BH0204",
        error: `\`${value}\` has bits set beyond its prefix length`,
        help: `did you mean \`${parsed.cidr}\`, or one address with \`/${value.includes(":") ? 128 : 32}\`?`,
      }
    : readCidr(value, parsed);
};

export const cidr = shared(
  "cidr",
  described(
    refined<Cidr>(parseCidrText),
    "Address prefix, IPv4 or IPv6, without host bits.",
    "10.0.0.0/8",
    "2001:db8::/32",
  ),
);

export const address = described(
  refined<IpAddress>((value) => {
    const canonical = canonicalIp(value);
    if (canonical === null)
      return {
        code: "BH0209",
        error: `\`${value}\` is not an address`,
        help: "for example `10.0.0.5` or `2001:db8::5`",
      };
    const group = groupEntityOf(canonical);
    return group === null
      ? { value: canonical }
      : {
          code: "BH0209",
          error: `\`${value}\` is ${group}, and nobody's own address`,
          help: `rules name it as \`{ entity: ${group} }\``,
        };
  }),
  "IPv4 or IPv6 address.",
  "10.0.0.5",
);

export const port = shared(
  "port",
  described(
    refinedOrNumber<PortMatch>("a port", (value) => {
      const parsed = parsePort(value);
      if ("match" in parsed) return { value: parsed.match };
      const isRange = /^\d+-\d+/.test(value) && /ends before/.test(parsed.error);
      return {
        code: isRange ? "BH0206" : "BH0205",
        error: parsed.error,
        offset: parsed.offset,
        help: "for example `5432/tcp`, `8000-8100/tcp`, `http/tcp`, `icmp/echo-request`",
      };
    }),
    "Port and protocol; a bare number is TCP.",
    "5432/tcp",
    "8000-8100/tcp",
    "53/udp",
    "http/tcp",
    "icmp/echo-request",
    "all",
  ),
);

export const ports = list(port, "ports");
