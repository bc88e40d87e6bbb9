/** `icmps`: types by number or name, all codes of each. Cilium's `pkg/policy/api/icmp.go`. */
import { ICMP, ICMPV6, type PortMatch } from "@bulkhead/model";
import { didYouMean } from "../text/near.ts";
import { fields, optional, required } from "../text/fields.ts";
import { list, mapped, refinedOrNumber, word } from "../text/shape.ts";

const MOST = 40;

/** RFC 792 and its successors, as Cilium spells them. */
const V4: Readonly<Record<string, number>> = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  Redirect: 5,
  Echo: 8,
  EchoRequest: 8,
  RouterAdvertisement: 9,
  RouterSelection: 10,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
  Photuris: 40,
  ExtendedEchoRequest: 42,
  ExtendedEchoReply: 43,
};
/** RFC 4443 and its successors. */
const V6: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  MulticastListenerQuery: 130,
  MulticastListenerReport: 131,
  MulticastListenerDone: 132,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighborSolicitation: 135,
  NeighborAdvertisement: 136,
  RedirectMessage: 137,
  RouterRenumbering: 138,
  ICMPNodeInformationQuery: 139,
  ICMPNodeInformationResponse: 140,
  InverseNeighborDiscoverySolicitation: 141,
  InverseNeighborDiscoveryAdvertisement: 142,
  HomeAgentAddressDiscoveryRequest: 144,
  HomeAgentAddressDiscoveryReply: 145,
  MobilePrefixSolicitation: 146,
  MobilePrefixAdvertisement: 147,
  DuplicateAddressRequestCodeSuffix: 157,
  DuplicateAddressConfirmationCodeSuffix: 158,
  ExtendedEchoRequest: 160,
  ExtendedEchoReply: 161,
};

const typeText = refinedOrNumber<string>("a type of ICMP", (value) => ({ value }));

const field = mapped(
  fields("a type of ICMP", {
    family: optional(word("family", "IPv4", "IPv6")),
    type: required(typeText),
  }),
  ({ family = "IPv4", type }, node, at): PortMatch | undefined => {
    const names = family === "IPv6" ? V6 : V4;
    const named = Object.hasOwn(names, type) ? names[type] : undefined;
    const number = named ?? (/^\d{1,3}$/.test(type) ? Number(type) : Number.NaN);
    if (!(number <= 255)) {
      const help = didYouMean(type, Object.keys(names));
      at.report("BH0105", node, `\`${type}\` is no type of ICMP over ${family}`, help);
      return undefined;
    }
    const first = number * 256;
    const protocol = family === "IPv6" ? ICMPV6 : ICMP;
    return { kind: "range", protocol, first, last: first + 255 };
  },
);

export const icmpRule = mapped(
  fields("an ICMP rule", { fields: optional(list(field, "types of ICMP")) }),
  ({ fields: types = [] }, node, at): readonly PortMatch[] | undefined => {
    if (types.length <= MOST) return types;
    at.report("BH0410", node, `an ICMP rule has at most ${MOST} types`, "make it several rules");
    return undefined;
  },
);
