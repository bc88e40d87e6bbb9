/** What of an ingress policy about broadcast and multicast becomes rules where frames leave for a workload. */
import { describe, expect, test } from "vitest";
import type { ConfinedEndpoint, HostPolicy, IpAddress, OverlayEntry, Row } from "@bulkhead/model";
import { groupRules } from "../src/group-guard.ts";

const ALLOW = { verdict: "allow", cookie: "a0000001" } as const;
const DROP = { verdict: "drop", cookie: "d0000001" } as const;
const row = (id: string, others: Row["others"], ...protocols: Row["protocols"]): Row => ({
  id,
  protocols,
  others,
});
const udp = (port: number, inside: Row["others"], outside: Row["others"], protocol = 17) => ({
  protocol,
  intervals: [
    { first: 0, last: port - 1, decision: outside },
    { first: port, last: port, decision: inside },
    { first: port + 1, last: 65_535, decision: outside },
  ],
});
const whole = (protocol: number, decision: Row["others"]) => ({
  protocol,
  intervals: [{ first: 0, last: 65_535, decision }],
});

const ROWS = [
  row("0000000a", ALLOW),
  row("0000000d", DROP),
  row("00000001", DROP, udp(5353, ALLOW, DROP)),
  row("00000002", ALLOW, udp(5353, DROP, ALLOW)),
  row("00000003", DROP, whole(1, ALLOW), udp(2048, ALLOW, DROP, 58)),
];

const endpoint = {
  workload: "shop/db",
  interface: "veth-db",
  ifindex: 7,
  mac: "02:00:00:00:00:03",
  addresses: ["10.0.0.3", "fd00::3"],
  mode: "enforce",
} satisfies ConfinedEndpoint;

const policy = (
  defaultRow: string,
  ranges: readonly (readonly [IpAddress, IpAddress, string])[],
  subjects: readonly (readonly [IpAddress, string])[] = [
    ["10.0.0.3", "0000000c"],
    ["fd00::3", "0000000c"],
  ],
): HostPolicy => ({
  revision: 1,
  endpoints: [endpoint],
  hostAddresses: [],
  live: {
    subjects: { egress: [], ingress: subjects },
    maps: [{ classId: "0000000c", direction: "ingress", exact: [], ranges, defaultRow }],
    overlay: [],
  },
  shadow: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  rows: ROWS,
  profile: { nodeExempt: true, hairpinExempt: true },
});

const rules = (...about: Parameters<typeof policy>) => groupRules(policy(...about), endpoint);
const IGMP = "ip daddr 224.0.0.0/4 meta l4proto 2 accept";

describe("rules for groups", () => {
  test("none where nothing is let in", () => {
    expect(rules("0000000d", [])).toEqual([]);
  });

  test("everything where everything is", () => {
    expect(rules("0000000a", [])).toEqual([
      "ip daddr 224.0.0.0/4 accept",
      "ip daddr 255.255.255.255 accept",
      IGMP,
      "ip6 daddr ff00::/8 accept",
    ]);
  });

  test("as the map cuts the groups' addresses, and no address beside them", () => {
    expect(
      rules("0000000d", [
        ["10.0.0.0", "224.0.0.1", "00000001"],
        ["239.0.0.0", "255.255.255.255", "00000001"],
        ["ff02::fb", "ff02::fb", "00000001"],
      ]),
    ).toEqual([
      "ip daddr 224.0.0.0/31 udp dport 5353 accept",
      "ip daddr 239.0.0.0/8 udp dport 5353 accept",
      "ip daddr 255.255.255.255 udp dport 5353 accept",
      IGMP,
      "ip6 daddr ff02::fb udp dport 5353 accept",
    ]);
  });

  test("asks for membership are let in only where multicast is", () => {
    expect(rules("0000000d", [["255.255.255.255", "255.255.255.255", "00000001"]])).toEqual([
      "ip daddr 255.255.255.255 udp dport 5353 accept",
    ]);
  });

  test("with holes, whole protocols, and ICMP as a whole or not at all", () => {
    expect(
      rules("0000000d", [
        ["224.0.0.0", "224.255.255.255", "00000002"],
        ["ff00::", "ff00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "00000003"],
      ]),
    ).toEqual([
      "ip daddr 224.0.0.0/8 udp dport 0-5352 accept",
      "ip daddr 224.0.0.0/8 udp dport 5354-65535 accept",
      "ip daddr 224.0.0.0/8 meta l4proto != 17 accept",
      IGMP,
      "ip6 daddr ff00::/16 meta l4proto 1 accept",
    ]);
  });

  test("none where addresses of one family are judged differently, or not at all", () => {
    const both = { ...endpoint, addresses: ["10.0.0.3", "10.0.0.4"] };
    const split = policy(
      "0000000a",
      [],
      [
        ["10.0.0.3", "0000000c"],
        ["10.0.0.4", "0000000e"],
      ],
    );
    expect(groupRules(split, both)).toEqual([]);
    expect(rules("0000000a", [], [["10.0.0.3", "0000000c"]])).not.toContain(
      "ip6 daddr ff00::/8 accept",
    );
  });
});

describe("what holds for a time", () => {
  const timed = (
    peer: OverlayEntry["peer"],
    protocol: number,
    decision: OverlayEntry["decision"] = DROP,
    more: Partial<OverlayEntry> = {},
  ): OverlayEntry => ({
    classId: "0000000c",
    direction: "ingress",
    peer,
    protocol,
    ports: [0, 65_535],
    decision,
    // Long past for every clock: no rule may go by that.
    deadline: 1,
    ...more,
  });
  const under = (defaultRow: string, ...overlay: readonly OverlayEntry[]): readonly string[] => {
    const beneath = policy(defaultRow, []);
    return groupRules({ ...beneath, live: { ...beneath.live, overlay } }, endpoint);
  };
  const ALL4 = ["0.0.0.0", "255.255.255.255"] as const;
  const ALL6 = ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] as const;

  test("shuts what would be open without it", () => {
    const none = [ALL4, ALL6].map((all) => timed(all, 17));
    expect(under("00000001", ...none)).toEqual([]);
  });

  test("shuts one protocol, some ports and some groups", () => {
    expect(
      under(
        "0000000a",
        timed(ALL4, 17, DROP, { ports: [0, 5352] }),
        timed(["224.0.0.0", "239.255.255.255"], 17, DROP, { ports: [6000, 65_535] }),
        timed(["ff00::", "ff00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], 6),
      ),
    ).toEqual([
      "ip daddr 224.0.0.0/4 udp dport 5353-5999 accept",
      "ip daddr 224.0.0.0/4 meta l4proto != 17 accept",
      "ip daddr 255.255.255.255 udp dport 5353-65535 accept",
      "ip daddr 255.255.255.255 meta l4proto != 17 accept",
      IGMP,
      "ip6 daddr ff00::/16 meta l4proto != 6 accept",
      "ip6 daddr ff01::/16 accept",
      "ip6 daddr ff02::/15 accept",
      "ip6 daddr ff04::/14 accept",
      "ip6 daddr ff08::/13 accept",
      "ip6 daddr ff10::/12 accept",
      "ip6 daddr ff20::/11 accept",
      "ip6 daddr ff40::/10 accept",
      "ip6 daddr ff80::/9 accept",
    ]);
  });

  test("shuts every protocol, one by one", () => {
    const all = Array.from({ length: 256 }, (_, protocol) => timed(ALL4, protocol));
    expect(under("0000000a", ...all)).toEqual(["ip6 daddr ff00::/8 accept"]);
  });

  test("opens nothing, and says nothing about other classes and directions", () => {
    expect(under("0000000d", timed(ALL4, 17, ALLOW), timed(ALL6, 17, ALLOW))).toEqual([]);
    const open = under("00000001");
    expect(
      under(
        "00000001",
        timed(ALL4, 17, DROP, { classId: "0000000e" }),
        timed(ALL6, 17, DROP, { direction: "egress" }),
        timed(ALL4, 17, ALLOW),
      ),
    ).toEqual(open);
    expect(open).not.toEqual([]);
  });
});
