/** One entry of `ports`: text, for a number, a name that is looked up on the destination, or `"0"` for every port. */
import {
  isServiceName,
  SCTP,
  TCP,
  UDP,
  type PortMatch,
  type ProtocolNumber,
} from "@bulkhead/model";
import { fields, optional } from "../text/fields.ts";
import { integer, mapped, refined, word } from "../text/shape.ts";

/** IANA's numbers of protocols that know no ports. */
export const WITHOUT_PORTS: Readonly<Record<string, ProtocolNumber>> = {
  VRRP: 112,
  IGMP: 2,
  GRE: 47,
  IPIP: 4,
  IPV6: 41,
  ESP: 50,
  AH: 51,
};
/** Where none is said all three are meant (SEMANTICS trap 4). */
const WITH_PORTS: Readonly<Record<string, readonly ProtocolNumber[]>> = {
  TCP: [TCP],
  UDP: [UDP],
  SCTP: [SCTP],
  ANY: [TCP, UDP, SCTP],
};

export interface CiliumPort {
  readonly matches: readonly PortMatch[];
  /** As written; `ANY` where nothing is. */
  readonly protocol: string;
  readonly isEvery: boolean;
  readonly isRange: boolean;
}

const portText = refined<string | number>((value) => {
  const name = value.toLowerCase();
  if (isServiceName(name)) return { value: name };
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) {
    return {
      code: "BH0205",
      error: `\`${value}\` is neither a port nor the name of one`,
      help: 'as `"8080"` or `"http"`; a range is `port` with `endPort`',
    };
  }
  if (!/^0\d/.test(value)) return { value: Number(value) };
  return {
    code: "BH0205",
    error: `\`${value}\` would be read as an octal number`,
    help: "write it without zeros in front",
  };
});

const PROTOCOLS = [
  "TCP",
  "UDP",
  "SCTP",
  "ANY",
  "VRRP",
  "IGMP",
  "GRE",
  "IPIP",
  "IPV6",
  "ESP",
  "AH",
] as const;

export const portEntry = mapped(
  fields("a port", {
    port: optional(portText),
    endPort: optional(integer(0, 65535)),
    protocol: optional(word("protocol", ...PROTOCOLS)),
  }),
  ({ port, endPort = 0, protocol = "ANY" }, node, at): CiliumPort | undefined => {
    const alone = WITHOUT_PORTS[protocol];
    if (alone !== undefined) {
      const matches: readonly PortMatch[] = [{ kind: "protocol", protocol: alone }];
      if (port === undefined || port === 0) {
        return { protocol, isEvery: true, isRange: false, matches };
      }
      at.report("BH0205", node, `\`${protocol}\` has no ports`, 'leave `port` out, or write `"0"`');
      return undefined;
    }
    const protocols = WITH_PORTS[protocol] ?? [];
    if (port === undefined) {
      at.report(
        "BH0103",
        node,
        "a port needs `port`",
        'for every port of the protocol write `"0"`',
      );
      return undefined;
    }
    if (typeof port === "string") {
      if (endPort !== 0) {
        at.report("BH0404", node, "`endPort` has no effect beside the name of a port");
      }
      const matches = protocols.map(
        (one) => ({ kind: "named", protocol: one, name: port }) as const,
      );
      return { protocol, isEvery: false, isRange: false, matches };
    }
    if (endPort !== 0 && endPort < port) {
      at.report("BH0206", node, `\`endPort\` ${endPort} is less than \`port\` ${port}`);
      return undefined;
    }
    const last = Math.max(port, endPort);
    const matches = protocols.map((one): PortMatch =>
      last === 0
        ? { kind: "protocol", protocol: one }
        : { kind: "range", protocol: one, first: port, last },
    );
    return { protocol, isEvery: port === 0, isRange: last > port, matches };
  },
);
