/** Frames of a workload that lies about who it is, on every layer, and of one that goes around what judges by addresses. */
import { addressBytes } from "../../src/probe/socket-address.ts";
import type { LabWorkload } from "./lab.ts";
import { arp, BROADCAST, frame, icmpv6, ipv4, ipv6, udp, word } from "./wire.ts";

export const MARK = "a lie told on the wire";

const advertisement = (source: string, target: string): Buffer => {
  const body = Buffer.alloc(24);
  body.writeUInt8(136, 0);
  body.writeUInt8(0x20, 4);
  addressBytes(target).copy(body, 8);
  return icmpv6(source, "ff02::1", Buffer.concat([body, Buffer.from(`\u0002\u0001${MARK}`)]));
};

const routerAdvertisement = (source: string): Buffer => {
  const body = Buffer.alloc(16);
  body.writeUInt8(134, 0);
  return icmpv6(source, "ff02::1", Buffer.concat([body, Buffer.from(MARK)]));
};

const ALL_NODES = "33:33:00:00:00:01";

/** What it is, and the frame: told by `liar`, about `victim`, to `witness`. */
export const lies: readonly (readonly [
  string,
  (liar: LabWorkload, victim: LabWorkload, witness: LabWorkload) => Buffer,
])[] = [
  [
    "another's IPv4 address",
    (liar, victim, witness) =>
      frame(witness.mac, liar.mac, 0x0800, ipv4(victim.v4, witness.v4, 17, udp(MARK))),
  ],
  [
    "an unassigned IPv4 address",
    (liar, _, witness) =>
      frame(witness.mac, liar.mac, 0x0800, ipv4("10.86.0.77", witness.v4, 17, udp(MARK))),
  ],
  [
    "the host's IPv4 address",
    (liar, _, witness) =>
      frame(witness.mac, liar.mac, 0x0800, ipv4("10.86.0.1", witness.v4, 17, udp(MARK))),
  ],
  [
    "another's IPv6 address",
    (liar, victim, witness) =>
      frame(witness.mac, liar.mac, 0x86dd, ipv6(victim.v6, witness.v6, 17, 64, udp(MARK))),
  ],
  [
    "a link-local address for data",
    (liar, _, witness) =>
      frame(witness.mac, liar.mac, 0x86dd, ipv6("fe80::bad", witness.v6, 17, 64, udp(MARK))),
  ],
  [
    "another's MAC address",
    (liar, victim, witness) =>
      frame(witness.mac, victim.mac, 0x0800, ipv4(liar.v4, witness.v4, 17, udp(MARK))),
  ],
  [
    "ARP for another's address",
    (liar, victim) => frame(BROADCAST, liar.mac, 0x0806, arp(liar.mac, victim.v4, victim.v4, MARK)),
  ],
  [
    "ARP with another's MAC inside",
    (liar, victim) => frame(BROADCAST, liar.mac, 0x0806, arp(victim.mac, liar.v4, liar.v4, MARK)),
  ],
  [
    "an advertisement for another's address",
    (liar, victim) =>
      frame(
        ALL_NODES,
        liar.mac,
        0x86dd,
        ipv6(liar.v6, "ff02::1", 58, 255, advertisement(liar.v6, victim.v6)),
      ),
  ],
  [
    "a router advertisement",
    (liar) =>
      frame(
        ALL_NODES,
        liar.mac,
        0x86dd,
        ipv6(liar.v6, "ff02::1", 58, 255, routerAdvertisement(liar.v6)),
      ),
  ],
  [
    "a VLAN tag",
    (liar, _, witness) =>
      frame(
        witness.mac,
        liar.mac,
        0x8100,
        Buffer.concat([word(7), word(0x0800), ipv4(liar.v4, witness.v4, 17, udp(MARK))]),
      ),
  ],
  [
    "a service VLAN tag",
    (liar, _, witness) =>
      frame(
        witness.mac,
        liar.mac,
        0x88a8,
        Buffer.concat([word(7), word(0x0800), ipv4(liar.v4, witness.v4, 17, udp(MARK))]),
      ),
  ],
  [
    "a priority tag (VLAN 0)",
    (liar, _, witness) =>
      frame(
        witness.mac,
        liar.mac,
        0x8100,
        Buffer.concat([word(0), word(0x0800), ipv4(liar.v4, witness.v4, 17, udp(MARK))]),
      ),
  ],
  [
    "PPPoE",
    (liar, _, witness) =>
      frame(
        witness.mac,
        liar.mac,
        0x8864,
        Buffer.concat([
          Buffer.from("110000010000", "hex"),
          word(0x0021),
          ipv4(liar.v4, witness.v4, 17, udp(MARK)),
        ]),
      ),
  ],
  [
    "MPLS",
    (liar, _, witness) =>
      frame(
        witness.mac,
        liar.mac,
        0x8847,
        Buffer.concat([Buffer.from("00001140", "hex"), ipv4(liar.v4, witness.v4, 17, udp(MARK))]),
      ),
  ],
  [
    "a protocol of its own",
    (liar, _, witness) => frame(witness.mac, liar.mac, 0x88b5, Buffer.from(MARK)),
  ],
];

const tagged = (liar: LabWorkload, to: LabWorkload, vlan: number): Buffer =>
  frame(
    to.mac,
    liar.mac,
    0x8100,
    Buffer.concat([word(vlan), word(0x0800), ipv4(liar.v4, to.v4, 17, udp(MARK))]),
  );

/** Ways for a workload that is not confined to reach one that is, past everything that judges by addresses. */
export const ways: readonly (readonly [
  string,
  (liar: LabWorkload, to: LabWorkload, linkLocal: () => string) => Buffer,
])[] = [
  ["a priority tag (VLAN 0)", (liar, to) => tagged(liar, to, 0)],
  ["a VLAN tag", (liar, to) => tagged(liar, to, 7)],
  [
    "its link-local address",
    (liar, to, linkLocal) =>
      frame(to.mac, liar.mac, 0x86dd, ipv6(liar.v6, linkLocal(), 17, 64, udp(MARK))),
  ],
  [
    "an address that nobody listed",
    (liar, to) => frame(to.mac, liar.mac, 0x0800, ipv4(liar.v4, "10.86.0.88", 17, udp(MARK))),
  ],
  [
    "broadcast",
    (liar) => frame(BROADCAST, liar.mac, 0x0800, ipv4(liar.v4, "255.255.255.255", 17, udp(MARK))),
  ],
  [
    "multicast",
    (liar) => frame(ALL_NODES, liar.mac, 0x86dd, ipv6(liar.v6, "ff02::1", 17, 64, udp(MARK))),
  ],
  [
    "PPPoE",
    (liar, to) =>
      frame(
        to.mac,
        liar.mac,
        0x8864,
        Buffer.concat([
          Buffer.from("110000010000", "hex"),
          word(0x0021),
          ipv4(liar.v4, to.v4, 17, udp(MARK)),
        ]),
      ),
  ],
];
