/** Protocols and ports as Calico writes them: names or numbers, `80`, `80:90`, or a name; and what is left when some are excluded. */
import {
  allPorts,
  ICMP,
  ICMPV6,
  intersect,
  isServiceName,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  SCTP,
  subtract,
  TCP,
  UDP,
  type PortMatch,
  type PortSet,
  type ProtocolNumber,
} from "@bulkhead/model";
import { refinedOrNumber, type Refined } from "../text/shape.ts";

const PROTOCOLS: Readonly<Record<string, ProtocolNumber>> = {
  TCP,
  UDP,
  SCTP,
  ICMP,
  ICMPv6: ICMPV6,
  UDPLite: 136,
};
const WITH_PORTS: readonly ProtocolNumber[] = [TCP, UDP, SCTP];

export const protocol = refinedOrNumber<ProtocolNumber>(
  "a protocol",
  (value): Refined<ProtocolNumber> => {
    const named = Object.hasOwn(PROTOCOLS, value) ? PROTOCOLS[value] : undefined;
    const number = named ?? (/^\d{1,3}$/.test(value) ? Number(value) : 0);
    if (number >= 1 && number <= 255) return { value: number };
    return {
      code: "BH0105",
      error: `unknown protocol \`${value}\``,
      help: `one of ${Object.keys(PROTOCOLS).join(", ")}, or a number from 1 to 255`,
    };
  },
);

export type CalicoPort =
  | { readonly kind: "range"; readonly first: number; readonly last: number }
  | { readonly kind: "named"; readonly name: string };

export const port = refinedOrNumber<CalicoPort>("a port", (value): Refined<CalicoPort> => {
  const [first = -1, last = first] = /^\d+(:\d+)?$/.test(value) ? value.split(":").map(Number) : [];
  if (first >= 0) {
    if (last > MAX_PORT || first < 1) {
      const help = "a number from 1 to 65535";
      return { code: "BH0205", error: `\`${value}\` is not a port`, help };
    }
    return last < first
      ? { code: "BH0206", error: `range \`${value}\` ends before it begins` }
      : { value: { kind: "range", first, last } };
  }
  return isServiceName(value.toLowerCase())
    ? { value: { kind: "named", name: value } }
    : {
        code: "BH0205",
        error: `\`${value}\` is not a port`,
        help: "a number, a range such as `80:90`, or a name",
      };
});

export interface IcmpFields {
  readonly type?: number;
  readonly code?: number;
}

export interface PortClauses {
  readonly protocol?: ProtocolNumber;
  readonly notProtocol?: ProtocolNumber;
  readonly icmp?: IcmpFields;
  readonly notICMP?: IcmpFields;
  readonly ports?: readonly CalicoPort[];
  readonly notPorts?: readonly CalicoPort[];
}

/** Null: names are excluded, or named where something is excluded, which no set of ports can say. */
export function portMatches(clauses: PortClauses): readonly PortMatch[] | null {
  const { protocol: wanted, notProtocol, icmp, notICMP, ports = [], notPorts = [] } = clauses;
  const names = [...ports, ...notPorts].some(({ kind }) => kind === "named");
  const excludes = notProtocol !== undefined || notICMP !== undefined || notPorts.length > 0;
  if (names && (excludes || wanted === undefined)) return null;
  if (names) return ports.map((one) => matchOf(one, wanted!));
  const whole = wanted === undefined ? allPorts : setOf([{ kind: "protocol", protocol: wanted }]);
  const of = wanted ?? TCP;
  let set =
    ports.length === 0 ? whole : intersect(whole, setOf(ports.map((one) => matchOf(one, of))));
  set = subtract(set, setOf(notPorts.map((one) => matchOf(one, of))));
  if (notProtocol !== undefined)
    set = subtract(set, setOf([{ kind: "protocol", protocol: notProtocol }]));
  const icmpOf = wanted === ICMPV6 ? ICMPV6 : ICMP;
  if (icmp !== undefined) set = intersect(set, setOf([icmpMatch(icmp, icmpOf)]));
  if (notICMP !== undefined) set = subtract(set, setOf([icmpMatch(notICMP, icmpOf)]));
  return matchesOf(set);
}

export const hasPorts = (number: ProtocolNumber): boolean => WITH_PORTS.includes(number);

function matchOf(one: CalicoPort, of: ProtocolNumber): PortMatch {
  return one.kind === "named"
    ? { kind: "named", protocol: of, name: one.name }
    : { kind: "range", protocol: of, first: one.first, last: one.last };
}

function icmpMatch({ type, code }: IcmpFields, of: ProtocolNumber): PortMatch {
  if (type === undefined) return { kind: "protocol", protocol: of };
  const first = type * 256 + (code ?? 0);
  return { kind: "range", protocol: of, first, last: code === undefined ? first + 255 : first };
}

const setOf = (matches: readonly PortMatch[]): PortSet => portsOf(matches, () => []);

function matchesOf(set: PortSet): readonly PortMatch[] {
  if (set.others && set.byProtocol.length === 0) return [{ kind: "all" }];
  const listed = set.others
    ? Array.from({ length: 256 }, (_, number) => number)
    : set.byProtocol.map((one) => one.protocol);
  return listed.flatMap((number) =>
    portsOfProtocol(set, number).map(({ first, last }): PortMatch =>
      first === 0 && last === MAX_PORT
        ? { kind: "protocol", protocol: number }
        : { kind: "range", protocol: number, first, last },
    ),
  );
}
