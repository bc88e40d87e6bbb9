/** What is not sound is named, all of it, before a word reaches nft. */
import { describe, expect, test } from "vitest";
import type { HostPolicy, MapSet, PolicyMap } from "@bulkhead/model";
import { checkHostPolicy } from "../src/index.ts";
import { PROCESSES, SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

const good: HostPolicy = SAMPLE_POLICIES.enforce;
const [egress, ingress] = good.live.maps as readonly [PolicyMap, PolicyMap];
const live = (change: Partial<MapSet>): HostPolicy => ({
  ...good,
  live: { ...good.live, ...change },
});
const rollout = { seed: 1, share: 1, maps: good.live };
const map = (change: Partial<PolicyMap>): HostPolicy =>
  live({ maps: [{ ...egress, ...change }, ingress] });
const endpoint = (change: object): HostPolicy => ({
  ...good,
  endpoints: [{ ...(good.endpoints[0] as HostPolicy["endpoints"][number]), ...change }],
});
const rowWith = (
  intervals: HostPolicy["rows"][number]["protocols"][number]["intervals"],
): HostPolicy => ({
  ...good,
  rows: good.rows.map((row) =>
    row.id === "00000002" ? { ...row, protocols: [{ protocol: 6, intervals }] } : row,
  ),
});
const allow = { verdict: "allow", cookie: "a0000001" } as const;

test.each(Object.entries({ ...SAMPLE_POLICIES, PROCESSES }))(
  "the sample `%s` is sound",
  (_, policy) => {
    expect(checkHostPolicy(policy)).toEqual([]);
  },
);

describe("is refused:", () => {
  const cases: readonly (readonly [string, HostPolicy, RegExp])[] = [
    ["a row that is not given", { ...good, rows: good.rows.slice(1) }, /row 00000001 is not given/],
    [
      "a row given twice",
      { ...good, rows: [...good.rows, ...good.rows.slice(0, 1)] },
      /row 00000001 is given twice/,
    ],
    [
      "a class that is not given",
      live({ maps: [ingress] }),
      /egress subject 10\.0\.0\.2: class 0000000b is not given/,
    ],
    [
      "a class given twice",
      live({ maps: [egress, egress, ingress] }),
      /egress 0000000b is given twice/,
    ],
    [
      "a workload with another node",
      { ...good, endpoints: good.endpoints.map((one) => ({ ...one, node: ["10.9.0.1"] })) },
      /runs on another node than this machine/,
    ],
    ["a rollout without a seed", { ...good, canary: { ...rollout, seed: 0 } }, /0 is no seed/],
    ["a rollout of all", { ...good, canary: { ...rollout, share: 10_000 } }, /10000 is no share/],
    [
      "a rollout with a class that is not given",
      { ...good, canary: { ...rollout, maps: { ...good.live, maps: [ingress] } } },
      /egress subject 10\.0\.0\.2: class 0000000b is not given/,
    ],
    ["an id with something else in it", map({ classId: "0000000b; flush ruleset" }), /no id/],
    [
      "an address twice",
      map({
        exact: [
          ["10.0.0.3", "00000002"],
          ["10.0.0.3", "00000002"],
        ],
      }),
      /10\.0\.0\.3 occurs twice/,
    ],
    [
      "an address with something else in it",
      map({ exact: [["10.0.0.3 }", "00000002"]] }),
      /no canonical address/,
    ],
    [
      "an address in another spelling",
      map({ exact: [["fd00:0::3", "00000002"]] }),
      /no canonical address/,
    ],
    [
      "ranges that overlap",
      map({
        ranges: [
          ["10.1.0.0", "10.1.0.9", "00000002"],
          ["10.1.0.9", "10.1.0.10", "00000002"],
        ],
      }),
      /ranges overlap at 10\.1\.0\.9/,
    ],
    [
      "a range of two families",
      map({ ranges: [["10.1.0.0", "fd00::1", "00000002"]] }),
      /is no range/,
    ],
    [
      "a range from high to low",
      map({ ranges: [["10.1.0.9", "10.1.0.0", "00000002"]] }),
      /is no range/,
    ],
    [
      "ports with a gap",
      rowWith([
        { first: 0, last: 5, decision: allow },
        { first: 7, last: 65_535, decision: allow },
      ]),
      /gap at 6/,
    ],
    [
      "ports that end early",
      rowWith([{ first: 0, last: 65_534, decision: allow }]),
      /end at 65534/,
    ],
    [
      "a cookie of another form",
      rowWith([{ first: 0, last: 65_535, decision: { verdict: "allow", cookie: "A0000001" } }]),
      /no cookie/,
    ],
    [
      "an overlay of no class",
      live({
        overlay: [
          {
            classId: "0000000c",
            direction: "egress",
            peer: ["10.0.0.9", "10.0.0.9"],
            protocol: 6,
            ports: [1, 1],
            decision: allow,
            deadline: SAMPLE_NOW,
          },
        ],
      }),
      /class 0000000c: the class is not given/,
    ],
    [
      "an overlay without an end",
      live({
        overlay: [
          {
            classId: "0000000b",
            direction: "egress",
            peer: ["10.0.0.9", "10.0.0.9"],
            protocol: 6,
            ports: [1, 1],
            decision: allow,
            deadline: Number.NaN,
          },
        ],
      }),
      /no deadline/,
    ],
    [
      "overlay ports from high to low",
      live({
        overlay: [
          {
            classId: "0000000b",
            direction: "egress",
            peer: ["10.0.0.9", "10.0.0.9"],
            protocol: 6,
            ports: [2, 1],
            decision: allow,
            deadline: SAMPLE_NOW,
          },
        ],
      }),
      /2-1 are no ports/,
    ],
    [
      "an interface with something else in it",
      endpoint({ interface: 'x"; drop' }),
      /is no interface/,
    ],
    ["an interface that nft reads as many", endpoint({ interface: "veth*" }), /is no interface/],
    [
      "two endpoints on one interface",
      { ...good, endpoints: [...good.endpoints, ...good.endpoints] },
      /interface veth-web has two endpoints/,
    ],
    ["an interface without a number", endpoint({ ifindex: 0 }), /0 is no interface's number/],
    [
      "a port that is none",
      { ...good, ports: [{ interface: "eth*", ifindex: 1.5 }] },
      /port eth\*: `eth\*` is no interface\n.*1\.5 is no interface's number/,
    ],
    [
      "a port with the number of an endpoint",
      { ...good, ports: [{ interface: "eth1", ifindex: 12 }] },
      /port eth1: another interface has number 12/,
    ],
    [
      "a port that is an endpoint as well",
      { ...good, ports: [{ interface: "veth-web", ifindex: 12 }] },
      /port veth-web: interface veth-web is given twice/,
    ],
    [
      "a MAC address in another spelling",
      endpoint({ mac: "02-00-00-00-00-02" }),
      /is no MAC address/,
    ],
    [
      "a host address that is none",
      { ...good, hostAddresses: ["host"] },
      /host: `host` is no canonical address/,
    ],
  ];
  test.each(cases)("%s", (_, policy, sentence) => {
    expect(checkHostPolicy(policy).join("\n")).toMatch(sentence);
  });

  const [first, second, third] = PROCESSES.processes ?? [];
  const process = (change: object): HostPolicy => ({
    ...PROCESSES,
    processes: [{ ...first, ...change }, second, third] as NonNullable<HostPolicy["processes"]>,
  });
  const processMaps = (change: Partial<MapSet>): HostPolicy => ({
    ...PROCESSES,
    live: { ...PROCESSES.live, ...change },
  });
  const sockets = (...list: NonNullable<HostPolicy["sockets"]>): HostPolicy => ({
    ...PROCESSES,
    sockets: list,
  });
  const socket = { workload: "host/nginx", family: 4, protocol: 6, port: 80 } as const;
  test.each([
    ["a control group with a quote", process({ cgroup: '/a" } drop' }), /no rule can name/],
    ["one with a line's end", process({ cgroup: "/a\nflush ruleset" }), /no rule can name/],
    ["one above itself", process({ cgroup: "/a/../b" }), /no rule can name/],
    ["a control group of two", process({ cgroup: second?.cgroup }), /another process has control/],
    ["a handle of two", process({ handle: second?.handle }), /another process has handle/],
    ["the handle of nobody", process({ handle: "00000000" }), /is no handle/],
    ["a process twice", process({ workload: second?.workload }), /is given twice/],
    ["a managed one deeper down", { ...PROCESSES, managed: ["/a/b"] }, /of the first level/],
    ["a socket of a stranger", sockets({ ...socket, workload: "x" }), /the process is not given/],
    [
      "a socket with two owners",
      sockets(socket, { ...socket, workload: "host/redis" }),
      /two owners/,
    ],
    ["an address of the other family", sockets({ ...socket, address: "::1" }), /of its family/],
    ["a port of ICMP", sockets({ ...socket, protocol: 47 }), /80 is no port of protocol 47/],
    [
      "a judged stranger",
      processMaps({ processes: { egress: [["x", "0000000b"]], ingress: [] } }),
      /egress process x is not given/,
    ],
    [
      "a class that is not given, of a process",
      processMaps({ processes: { egress: [["host/cron", "0000000e"]], ingress: [] } }),
      /class 0000000e is not given/,
    ],
    [
      "processes as peers of egress",
      processMaps({
        maps: PROCESSES.live.maps.map((one) =>
          one.direction === "egress"
            ? { ...one, processes: [["host/cron", "00000001"] as const] }
            : one,
        ),
      }),
      /only ingress asks for processes/,
    ],
    [
      "a strange row for a peer",
      processMaps({
        maps: PROCESSES.live.maps.map((one) =>
          one.classId === "0000000d"
            ? { ...one, processes: [["host/cron", "0000000f"] as const] }
            : one,
        ),
      }),
      /row 0000000f is not given/,
    ],
  ] satisfies (readonly [string, HostPolicy, RegExp])[])("%s", (_, policy, sentence) => {
    expect(checkHostPolicy(policy).join("\n")).toMatch(sentence);
  });

  test("everything that is wrong, at once", () => {
    const problems = checkHostPolicy({ ...endpoint({ mac: "x" }), hostAddresses: ["y"] });
    expect(problems).toHaveLength(2);
  });
});
