/**
 * `ports` and `protocols` of a rule: antrea-io/antrea `pkg/apis/crd/v1beta1/types.go`, and what its webhook
 * (`validatePort`) refuses. ICMP is that of the address family: version 6 over IPv6.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP, type PortMatch } from "@bulkhead/model";
import { intOrName } from "../kubernetes/network-policy.ts";
import { fields, optional, refused } from "../text/fields.ts";
import { integer, list, mapped, word, type Shape } from "../text/shape.ts";

const PROTOCOLS = { TCP, UDP, SCTP } as const;
export const IGMP = 2;

const number = integer(1, 65535);
const byte = integer(0, 255);
const SOURCE_PORTS = "leave it out: only destination ports tell connections apart here";

const port: Shape<PortMatch> = mapped(
  fields("a port", {
    protocol: optional(word("protocol", "TCP", "UDP", "SCTP")),
    port: optional(intOrName),
    endPort: optional(number),
    sourcePort: refused(SOURCE_PORTS),
    sourceEndPort: refused(SOURCE_PORTS),
  }),
  ({ protocol: name = "TCP", port: first, endPort }, node, at): PortMatch | undefined => {
    const protocol = PROTOCOLS[name];
    if (endPort !== undefined && typeof first !== "number") {
      at.report("BH0206", node, "`endPort` needs a numeric `port`");
      return undefined;
    }
    if (typeof first === "string") return { kind: "named", protocol, name: first };
    if (first === undefined) return { kind: "protocol", protocol };
    const last = endPort ?? first;
    if (last >= first) return { kind: "range", protocol, first, last };
    at.report("BH0206", node, `\`endPort\` ${last} is less than \`port\` ${first}`);
    return undefined;
  },
);

export const portList = list(port, "ports");

const icmp = mapped(
  fields("an ICMP protocol", { icmpType: optional(byte), icmpCode: optional(byte) }),
  ({ icmpType, icmpCode }): readonly PortMatch[] =>
    [ICMP, ICMPV6].flatMap((protocol): PortMatch[] => {
      if (icmpType === undefined && icmpCode === undefined) return [{ kind: "protocol", protocol }];
      const types = icmpType === undefined ? Array.from({ length: 256 }, (_, i) => i) : [icmpType];
      const [from, to] = icmpCode === undefined ? [0, 255] : [icmpCode, icmpCode];
      return types.map((type) => ({
        kind: "range",
        protocol,
        first: type * 256 + from,
        last: type * 256 + to,
      }));
    }),
);

const EVERY_IGMP = "write `igmp: {}` for all of IGMP: its types and groups are not told apart here";

const igmp = mapped(
  fields("an IGMP protocol", { igmpType: refused(EVERY_IGMP), groupAddress: refused(EVERY_IGMP) }),
  (): readonly PortMatch[] => [{ kind: "protocol", protocol: IGMP }],
);

export interface AntreaProtocol {
  readonly kind: "icmp" | "igmp";
  readonly matches: readonly PortMatch[];
}

const protocol: Shape<AntreaProtocol> = mapped(
  fields("a protocol", { icmp: optional(icmp), igmp: optional(igmp) }),
  (value, node, at): AntreaProtocol | undefined => {
    const { icmp: icmpPorts, igmp: igmpPorts } = value;
    if (icmpPorts !== undefined && igmpPorts !== undefined) {
      at.report("BH0109", node, "`icmp` and `igmp` exclude each other", "make it two rules");
      return undefined;
    }
    if (icmpPorts !== undefined) return { kind: "icmp", matches: icmpPorts };
    if (igmpPorts !== undefined) return { kind: "igmp", matches: igmpPorts };
    at.report("BH0103", node, "a protocol needs one of `icmp`, `igmp`");
    return undefined;
  },
);

export const protocolList = list(protocol, "protocols");
