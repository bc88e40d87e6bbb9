import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalHostPolicy } from "../src/index.ts";
import type { HostPolicy, MapSet, Row } from "../src/index.ts";

const row = (id: string, cookie: string): Row => ({
  id,
  protocols: [
    {
      protocol: 6,
      intervals: [
        { first: 0, last: 79, decision: { verdict: "drop", cookie: "00000001" } },
        { first: 80, last: 65535, decision: { verdict: "allow", cookie } },
      ],
    },
    {
      protocol: 17,
      intervals: [{ first: 0, last: 65535, decision: { verdict: "reject", cookie } }],
    },
  ],
  others: { verdict: "drop", cookie: "00000001" },
});

const live: MapSet = {
  subjects: {
    egress: [["10.0.0.2", "aaaaaaaa"]],
    ingress: [
      ["10.0.0.2", "bbbbbbbb"],
      ["10.0.0.10", "bbbbbbbb"],
      ["fd00::2", "bbbbbbbb"],
    ],
  },
  maps: [
    { classId: "aaaaaaaa", direction: "egress", exact: [], ranges: [], defaultRow: "r1" },
    {
      classId: "bbbbbbbb",
      direction: "ingress",
      exact: [
        ["10.0.0.3", "r2"],
        ["10.0.0.20", "r1"],
      ],
      ranges: [
        ["10.1.0.0", "10.1.255.255", "r2"],
        ["fd00::", "fd00::ffff", "r2"],
      ],
      defaultRow: "r1",
    },
  ],
  overlay: [
    {
      classId: "bbbbbbbb",
      direction: "ingress",
      peer: ["10.0.0.9", "10.0.0.9"],
      protocol: 6,
      ports: [22, 22],
      decision: { verdict: "allow", cookie: "00000003" },
      deadline: 1_900_000_000_000,
    },
    {
      classId: "bbbbbbbb",
      direction: "ingress",
      peer: ["10.0.0.9", "10.0.0.9"],
      protocol: 17,
      ports: [53, 53],
      decision: { verdict: "allow", cookie: "00000003" },
      deadline: 1_900_000_000_000,
    },
  ],
};

const policy: HostPolicy = {
  revision: 7,
  endpoints: [
    {
      workload: "shop/db",
      interface: "v1",
      ifindex: 7,
      mac: "02:00:00:00:00:01",
      addresses: ["10.0.0.2", "fd00::2"],
      mode: "enforce",
    },
    {
      workload: "shop/web",
      interface: "v0",
      ifindex: 8,
      mac: "02:00:00:00:00:02",
      addresses: ["10.0.0.10"],
      mode: "audit",
    },
  ],
  ports: [
    { interface: "eth1", ifindex: 3 },
    { interface: "tap0", ifindex: 2 },
  ],
  hostAddresses: ["10.0.0.1", "10.0.0.200"],
  live,
  shadow: { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] },
  rows: [row("r1", "00000001"), row("r2", "00000002")],
  profile: { nodeExempt: true, hairpinExempt: true },
};

/** The same object with every list and every object's keys in an order chosen by `pick`. */
const scrambled = (value: unknown, pick: (n: number) => number, path = ""): unknown => {
  if (Array.isArray(value)) {
    const parts = value.map((part: unknown) => scrambled(part, pick, `${path}[]`));
    // Pairs and tuples are positions, not lists.
    if (
      parts.some((part) => typeof part !== "object") &&
      !/(addresses|hostAddresses)$/.test(path)
    ) {
      return parts;
    }
    return shuffled(parts, pick);
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    shuffled(Object.entries(value), pick).map(([key, part]) => [key, scrambled(part, pick, key)]),
  );
};
const shuffled = <T>(list: readonly T[], pick: (n: number) => number): T[] => {
  const rest = [...list];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(pick(rest.length), 1));
  return out;
};

const rollout = { seed: 1, share: 1, maps: live };

describe("the byte form of a host policy", () => {
  test("is this text", () => {
    const text = canonicalHostPolicy({ ...policy, rows: [], live: policy.shadow });
    expect(text).toBe(
      '{"hostAddresses":["10.0.0.1","10.0.0.200"],"endpoints":[' +
        '{"workload":"shop/db","interface":"v1","ifindex":7,"mac":"02:00:00:00:00:01","addresses":["10.0.0.2","fd00::2"],"mode":"enforce"},' +
        '{"workload":"shop/web","interface":"v0","ifindex":8,"mac":"02:00:00:00:00:02","addresses":["10.0.0.10"],"mode":"audit"}],' +
        '"ports":[{"interface":"eth1","ifindex":3},{"interface":"tap0","ifindex":2}],' +
        '"live":{"subjects":{"egress":[],"ingress":[]},"maps":[],"overlay":[]},' +
        '"shadow":{"subjects":{"egress":[],"ingress":[]},"maps":[],"overlay":[]},' +
        '"rows":[],"profile":{"nodeExempt":true,"hairpinExempt":true}}',
    );
  });

  test("depends on neither key order nor list order", () => {
    const expected = canonicalHostPolicy(policy);
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (stream) => {
        const numbers = stream[Symbol.iterator]();
        const pick = (n: number): number => (numbers.next().value ?? 0) % n;
        const other = scrambled(policy, pick) as HostPolicy;
        expect(canonicalHostPolicy(other)).toBe(expected);
      }),
    );
  });

  test("leaves the revision out and the overlay's deadlines in", () => {
    const text = canonicalHostPolicy(policy);
    expect(canonicalHostPolicy({ ...policy, revision: 8 })).toBe(text);
    const [first] = live.overlay;
    if (first === undefined) throw new Error("the fixture has an overlay");
    const later = { ...live, overlay: [{ ...first, deadline: first.deadline + 1 }] };
    expect(canonicalHostPolicy({ ...policy, live: { ...live, overlay: [first] } })).not.toBe(
      canonicalHostPolicy({ ...policy, live: later }),
    );
  });

  test.each([
    [
      "a mode",
      { ...policy, endpoints: policy.endpoints.map((e) => ({ ...e, mode: "observe" as const })) },
    ],
    ["a host address", { ...policy, hostAddresses: ["10.0.0.1"] }],
    ["a row", { ...policy, rows: policy.rows.slice(1) }],
    ["the profile", { ...policy, profile: { nodeExempt: false, hairpinExempt: true } }],
    ["a subject", { ...policy, live: { ...live, subjects: { ...live.subjects, egress: [] } } }],
    ["a map", { ...policy, live: { ...live, maps: live.maps.slice(1) } }],
    ["live and shadow swapped", { ...policy, live: policy.shadow, shadow: live }],
    ["a rollout", { ...policy, canary: rollout }],
  ])("tells another %s", (_what, other: HostPolicy) => {
    expect(canonicalHostPolicy(other)).not.toBe(canonicalHostPolicy(policy));
  });

  test.each([
    ["share", { ...rollout, share: 2 }],
    ["seed", { ...rollout, seed: 2 }],
    ["set of maps", { ...rollout, maps: policy.shadow }],
  ])("tells a rollout's other %s", (_what, canary) => {
    const [one, other] = [rollout, canary].map((part) => ({ ...policy, canary: part }));
    expect(canonicalHostPolicy(other as HostPolicy)).not.toBe(
      canonicalHostPolicy(one as HostPolicy),
    );
  });
});
