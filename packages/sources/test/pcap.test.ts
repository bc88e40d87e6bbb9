/** Captures: links, tags, extension headers and fragments; who called; and damage. Formats by the drafts that the reader names. */
import { describe, expect, it } from "vitest";
import {
  ACK,
  at,
  ethernet,
  ipv4,
  ipv6,
  HANDSHAKE,
  pcapngOf,
  pcapOf,
  SYN,
  tcp,
  udp,
} from "./captures.ts";
import { readAs, shown } from "./reading.ts";

const CALL = ipv4("10.0.1.5", "10.0.2.6", 6, tcp(40_112, 5432, SYN));
const ONE = ["10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/0/0 1p 40b"];
const read = (frames: Parameters<typeof pcapOf>[0], options?: Parameters<typeof pcapOf>[1]) =>
  readAs("pcap", pcapOf(frames, options));

describe("a capture", () => {
  it("follows TCP's handshake and its refusal, in either byte order and file format", () => {
    const whole = [
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/1/0 3p 120b",
      "10.0.1.5:40113 → 10.0.2.7 81/6 forwarded 1/0/1 2p 80b",
    ];
    expect(shown(read(HANDSHAKE))).toEqual(whole);
    expect(shown(read(HANDSHAKE, { little: false, nano: true }))).toEqual(whole);
    const ng = readAs("pcap", pcapngOf(HANDSHAKE));
    expect(shown(ng)).toEqual(whole);
    expect(ng.lost).toBe(3);
    expect(shown(readAs("pcap", pcapngOf(HANDSHAKE, { little: false })))).toEqual(whole);
    expect(ng.flows[0]).toMatchObject({ start: 1_767_607_200_000, end: 1_767_607_200_002 });
    expect(read(HANDSHAKE, { nano: true }).flows).toEqual(ng.flows);
  });

  it.each<readonly [string, number, readonly number[]]>([
    ["Ethernet", 1, ethernet(CALL)],
    ["a VLAN", 1, ethernet(CALL, [0x81, 0, 0, 7])],
    ["a VLAN in a VLAN", 1, ethernet(CALL, [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9])],
    ["Linux cooked", 113, [0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0, ...CALL]],
    ["Linux cooked, second", 276, [8, 0, ...Array.from({ length: 18 }, () => 0), ...CALL]],
    ["raw IP", 101, CALL],
    ["raw IPv4", 228, CALL],
    ["loopback of BSD", 0, [2, 0, 0, 0, ...CALL]],
  ])("reads %s", (_name, link, bytes) => {
    expect(shown(read([at(0, bytes)], { link }))).toEqual(ONE);
  });

  it("reads IPv6 behind its extension headers, and first fragments alone", () => {
    const hop = [60, 0, 1, 2, 3, 4, 5, 6];
    const options = [44, 0, 1, 2, 3, 4, 5, 6];
    const fragment = (offset: number) => [17, 0, offset >> 5, (offset << 3) & 255, 0, 0, 0, 1];
    const told = read(
      [
        at(0, ipv6(5, 6, 0, [...hop, ...options, ...fragment(0), ...udp(4000, 53)])),
        at(1, ipv6(5, 6, 44, [...fragment(186), 1, 2, 3, 4])),
        at(2, ipv4("10.0.1.5", "10.0.2.6", 17, [1, 2, 3, 4], 185)),
        at(3, ipv6(6, 5, 17, udp(53, 4000))),
      ],
      { link: 101 },
    );
    expect(shown(told)).toEqual(["2001:db8::5:4000 → 2001:db8::6 53/17 forwarded 1/1/0 2p 120b"]);
    expect(told.others).toEqual(["a later fragment", "a later fragment"]);
    expect(told.flows[0]?.origin?.direction).toBe("guessed");
  });

  it("takes the lower port to have been called where the beginning is missing", () => {
    const told = read([at(0, ethernet(ipv4("10.0.2.6", "10.0.1.5", 6, tcp(5432, 40_112, ACK))))]);
    expect(shown(told)).toEqual(["10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/1/0 1p 40b"]);
    expect(told.flows[0]?.origin?.direction).toBe("guessed");
  });

  it("turns echo replies round, and says what is no flow", () => {
    const echo = (type: number) => [type, 0, 0, 0, 0, 7, 0, 1];
    const told = read([
      at(0, ethernet(ipv4("10.0.1.5", "10.0.2.6", 1, echo(8)))),
      at(1, ethernet(ipv4("10.0.2.6", "10.0.1.5", 1, echo(0)))),
      at(2, ethernet(ipv4("10.0.2.6", "10.0.1.5", 1, echo(3)))),
      at(3, [...Array.from({ length: 12 }, () => 0), 8, 6, 0, 1]),
      at(4, ethernet(CALL).slice(0, 30)),
      at(5, [1, 2, 3]),
    ]);
    expect(shown(told)).toEqual(["10.0.1.5:0 → 10.0.2.6 2048/1 forwarded 1/1/0 2p 56b"]);
    expect(told.others).toEqual(["ICMP that is no echo", "ARP", "cut off", "cut off"]);
  });

  it("keeps what came before damage, and says where it is", () => {
    const bytes = pcapOf(HANDSHAKE);
    const told = readAs("pcap", bytes.subarray(0, bytes.length - 5));
    expect(told.flows).toHaveLength(2);
    expect(told.malformed).toEqual([
      { place: 5, problem: "broken off in the middle of a packet", quote: "" },
    ]);
    const damaged = bytes.slice();
    damaged.fill(0xff, 24 + 16 + 54, 24 + 16 + 54 + 16);
    const after = readAs("pcap", damaged);
    expect(after.flows).toHaveLength(1);
    expect(after.malformed[0]?.problem).toContain("damaged from here on");
  });
});
