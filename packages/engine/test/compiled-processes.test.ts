/** What a compilation makes of processes of the machine: rows by port and by process, and what a datapath must know of them. */
import { describe, expect, it } from "vitest";
import { canonicalHostPolicy, TCP, UDP, type PolicySet, type Workload } from "@bulkhead/model";
import { compile, lookup, type CompileOptions } from "../src/index.ts";
import { rowText } from "./compiled.ts";
import {
  any,
  block,
  chosen,
  cidr,
  inventory,
  nativeSet,
  rule,
  T0,
  tcp,
  unit,
  workload,
} from "./small-sets.ts";
import { endpointOf, localProcess } from "./worlds.ts";

const HOST = "10.0.0.254";
const nginx = unit("host/nginx", ["80/tcp", "127.0.0.53:53/udp"], { app: "nginx" });
const cron = unit("host/cron", [], { app: "cron" });
const twin = unit("host/twin", ["80/tcp", "81/tcp"], { app: "twin" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });

function compiled(
  set: PolicySet,
  processes: readonly Workload[] = [nginx, cron],
  more: Partial<CompileOptions> = {},
) {
  return compile(set, inventory([db, ...processes], [HOST]), {
    now: T0,
    revision: 1,
    endpoints: [endpointOf(db)],
    processes: processes.flatMap(localProcess),
    ...more,
  });
}

const app = (...blocks: Parameters<typeof block>[]) =>
  nativeSet({ application: blocks.map((said) => block(...said)) });
const shut = (subject: string, direction: "egress" | "ingress" = "ingress") =>
  app(["b", direction, subject, []]);

/** Addresses and ranges of the only map, by what their rows say. */
function mapOf(result: ReturnType<typeof compiled>) {
  const [map, ...others] = result.policy.live.maps;
  expect(others).toEqual([]);
  return {
    exact: map!.exact.map(([address, row]) => `${address}: ${rowText(result, row)}`),
    ranges: map!.ranges.map(([first, last, row]) => `${first}-${last}: ${rowText(result, row)}`),
    processes: (map!.processes ?? []).map(([id, row]) => `${id}: ${rowText(result, row)}`),
    default: rowText(result, map!.defaultRow),
  };
}

describe("the machine's processes", () => {
  it("are all told, judged or not, by handles of their names", () => {
    const { policy } = compiled(shut("host:app=nginx"));
    const [first, second] = policy.processes!;
    expect(first).toMatchObject({
      workload: "host/cron",
      cgroup: "/system.slice/cron.service",
      mode: "observe",
    });
    expect(second).toMatchObject({ workload: "host/nginx", mode: "enforce" });
    expect(new Set([first!.handle, second!.handle]).size).toBe(2);
    for (const { handle } of policy.processes!) expect(handle).toMatch(/^(?!0{8})[0-9a-f]{8}$/);
    const alone = compiled(shut("host:app=nginx"), [nginx]).policy.processes!;
    expect(alone[0]!.handle).toBe(second!.handle);
    expect(policy.live.processes).toEqual({
      egress: [],
      ingress: [["host/nginx", policy.live.maps[0]!.classId]],
    });
  });

  it("leave a policy as it was where there are none", () => {
    const set = shut("shop:app=db");
    const without = compile(set, inventory([db], [HOST]), {
      now: T0,
      revision: 1,
      endpoints: [endpointOf(db)],
    });
    expect(canonicalHostPolicy(compiled(set, []).policy)).toBe(canonicalHostPolicy(without.policy));
    expect(compiled(set, []).policy).not.toHaveProperty("processes");
  });

  it("are managed below control groups of the first level, while one of them is enforced", () => {
    const jobs: Workload = { ...cron, cgroup: "/jobs.slice" };
    const deep: Workload = { ...cron, cgroup: "/user.slice/user-1.slice/a.scope" };
    const managed = (set: PolicySet, process: Workload) => compiled(set, [process]).policy.managed;
    expect(managed(shut("host:app=cron"), deep)).toEqual(["/user.slice"]);
    expect(managed(shut("host:app=cron"), jobs)).toBeUndefined();
    expect(managed(shut("host:app=other"), deep)).toBeUndefined();
    const staged = app(["b", "ingress", "host:app=cron", [], { enforce: "staged" }]);
    expect(managed(staged, deep)).toBeUndefined();
    const rollout = app(["b", "ingress", "host:app=cron", [], { canary: true }]);
    expect(managed({ ...rollout, canary: { seed: 1, share: 5000 } }, deep)).toBeUndefined();
    expect(managed(rollout, deep)).toEqual(["/user.slice"]);
  });

  it("that the inventory does not know are said to be unknown", () => {
    const known = [{ workload: "host/gone", cgroup: "/system.slice/gone.service" }];
    const { diagnostics, policy } = compiled(shut("host:"), [cron], { processes: known });
    expect(diagnostics.map(({ code, message, help }) => [code, message, help])).toEqual([
      [
        "BH0601",
        "control group `/system.slice/gone.service` belongs to workload `host/gone`, which the inventory does not know as a process",
        "no policy can select it; its traffic is judged at the other end only",
      ],
    ]);
    expect(policy.processes).toMatchObject([{ workload: "host/gone", mode: "observe" }]);
    expect(policy.live.processes).toBeUndefined();
  });

  it("count as subjects and entries", () => {
    const set = app(["b", "ingress", "host:app=nginx", [rule("allow", [chosen("host:app=cron")])]]);
    const [alone, both] = [compiled(set, [nginx]), compiled(set)];
    expect(both.capacity.subjects).toBe(1);
    expect(both.capacity.exactEntries).toBe(alone.capacity.exactEntries + 1);
  });
});

describe("sockets", () => {
  it("are told of who is judged, and of who shares a port with them", () => {
    const neighbour = unit("host/near", [`${HOST}:80/tcp`, "22/tcp"], { app: "near" });
    const { policy } = compiled(shut("host:app=nginx"), [nginx, cron, neighbour]);
    const said = policy.sockets!.map(({ workload: who, address = "*", family, port }) =>
      [who, address, family, port].join(" "),
    );
    expect(said).toEqual([
      `host/near ${HOST} 4 80`,
      "host/nginx * 4 80",
      "host/nginx 127.0.0.53 4 53",
      "host/nginx * 6 80",
    ]);
    expect(compiled(shut("shop:app=db")).policy.sockets).toBeUndefined();
  });

  it("that two claim are told of nobody, and said to be claimed", () => {
    const { policy, diagnostics } = compiled(shut("host:"), [nginx, twin]);
    expect(policy.sockets!.map(({ port }) => port)).toEqual([53, 81, 81]);
    expect(diagnostics.map(({ code, message, help }) => [code, message, help])).toEqual([
      [
        "BH0602",
        `port 80/tcp of \`${HOST}\` is claimed by \`host/nginx\`, \`host/twin\``,
        "until one of them gives it up, what comes from this machine is denied at those that have a policy",
      ],
    ]);
  });

  it("are told in the order of workload, family, protocol, port and address", () => {
    const many = unit("host/many", [
      "90/tcp",
      "80/udp",
      "[fd00::1]:80/tcp",
      `${HOST}:80/tcp`,
      "127.0.0.9:80/tcp",
    ]);
    const { policy } = compiled(shut("host:"), [many]);
    const said = policy.sockets!.map(({ family, protocol, port, address = "*" }) =>
      [family, protocol, port, address].join(" "),
    );
    expect(said).toEqual([
      `4 ${TCP} 80 ${HOST}`,
      `4 ${TCP} 80 127.0.0.9`,
      `4 ${TCP} 90 *`,
      `4 ${UDP} 80 *`,
      `6 ${TCP} 80 fd00::1`,
      `6 ${TCP} 90 *`,
      `6 ${UDP} 80 *`,
    ]);
  });

  it("that nobody told of let nothing in from this machine, and are judged from elsewhere", () => {
    const set = app(["b", "ingress", "host:app=cron", [rule("allow", [any])]]);
    const { policy } = compiled(set);
    const query = { source: HOST, destination: HOST, protocol: TCP, port: 7000 };
    const arrived = { ...query, destinationProcess: "host/cron" };
    expect(lookup(policy, "live", arrived, T0).verdict).toBe("drop");
    expect(lookup(policy, "live", { ...arrived, source: "192.0.2.1" }, T0).verdict).toBe("allow");
    const free = { ...query, destinationProcess: "host/nginx" };
    expect(lookup(policy, "live", free, T0).verdict).toBe("allow");
  });
});

describe("a shared address as destination", () => {
  const out = app([
    "b",
    "egress",
    "shop:app=db",
    [
      rule("allow", [chosen("host:app=nginx")]),
      rule("reject", [{ kind: "entity", entity: "host" }]),
    ],
  ]);

  it("has at its sockets' ports what holds of their owners, and the host's elsewhere", () => {
    expect(mapOf(compiled(out))).toEqual({
      exact: [`${HOST}: else reject by b/1`],
      ranges: [],
      processes: [],
      default: "else drop by b",
    });
    const allowed = app([
      "b",
      "egress",
      "shop:app=db",
      [rule("allow", [chosen("host:app=nginx")])],
    ]);
    expect(mapOf(compiled(allowed)).exact).toEqual([
      `${HOST}: 6/0-79 drop by b, 6/80-80 allow by b/0, 6/81-65535 drop by b, else drop by b`,
    ]);
  });

  it("is judged by the strictest where two claim a socket", () => {
    const allowed = app([
      "b",
      "egress",
      "shop:app=db",
      [rule("allow", [chosen("host:app=nginx")])],
    ]);
    expect(mapOf(compiled(allowed, [nginx, twin])).exact).toEqual([]);
  });

  it("knows loopback where a process asks: its known addresses, its range, and sockets bound there", () => {
    const set = app(["b", "egress", "host:app=cron", [rule("allow", [chosen("host:app=nginx")])]]);
    const http = "6/0-79 drop by b, 6/80-80 allow by b/0, 6/81-65535 drop by b";
    const dns = "17/0-52 drop by b, 17/53-53 allow by b/0, 17/54-65535 drop by b";
    expect(mapOf(compiled(set))).toMatchObject({
      exact: [
        `${HOST}: ${http}, else drop by b`,
        `127.0.0.1: ${http}, else drop by b`,
        `127.0.0.53: ${http}, ${dns}, else drop by b`,
        `::1: ${http}, else drop by b`,
      ],
      ranges: [`127.0.0.0-127.255.255.255: ${http}, else drop by b`],
    });
  });

  it("has timed entries at its owner's ports only", () => {
    const until = T0 + 60_000;
    const set = nativeSet({
      exception: [
        block(
          "e",
          "egress",
          "shop:app=db",
          [rule("allow", [chosen("host:app=nginx")], [tcp(1, 9000)], { expiresAt: until })],
          { isolates: false },
        ),
      ],
      application: [block("b", "egress", "shop:app=db", [])],
    });
    const { overlay } = compiled(set).policy.live;
    expect(overlay.map(({ peer, protocol, ports }) => [peer, protocol, ports])).toEqual([
      [[HOST, HOST], TCP, [80, 80]],
    ]);
  });
});

describe("a process as a peer", () => {
  const toDb = (...rules: Parameters<typeof block>[3][number][]) =>
    app(
      ["b", "ingress", "shop:app=db", rules],
      ["c", "egress", "host:app=cron", [rule("allow", [any])]],
    );
  const dbMap = (result: ReturnType<typeof compiled>) => {
    const { maps, subjects } = result.policy.live;
    const id = subjects.ingress[0]![1];
    const map = maps.find(({ classId }) => classId === id)!;
    return (map.processes ?? []).map(([who, row]) => `${who}: ${rowText(result, row)}`);
  };

  it("has a row with who is not the node, and none with who is", () => {
    expect(dbMap(compiled(toDb(rule("allow", [chosen("host:")], [tcp(5432)]))))).toEqual([
      "host/cron: 6/0-5431 drop by b, 6/5432-5432 allow by b/0, 6/5433-65535 drop by b, else drop by b",
    ]);
    expect(dbMap(compiled(toDb()))).toEqual(["host/cron: else drop by b"]);
  });

  it("has one where the node is not exempt only if an address would say something else", () => {
    const strict = (set: PolicySet) => ({ ...set, profile: { ...set.profile, nodeExempt: false } });
    expect(dbMap(compiled(strict(toDb())))).toEqual([]);
    expect(dbMap(compiled(strict(toDb(rule("allow", [chosen("host:app=nginx")])))))).toEqual([
      "host/nginx: else allow by b/0",
    ]);
  });

  it("has the strictest row where its addresses are told apart, and none where no selector chooses it", () => {
    const local = rule("allow", [cidr("127.0.0.0/8", { matchesWorkloads: true })], [tcp(5432)]);
    const set = app([
      "b",
      "ingress",
      "host:app=nginx",
      [local, rule("allow", [chosen("host:app=cron")], [tcp(80)])],
    ]);
    const result = compiled(set, [nginx, cron, unit("host/other", [], { app: "other" })]);
    expect(result.diagnostics.map(({ code, message, help }) => [code, message, help])).toEqual([
      [
        "BH0607",
        "`b` tells apart addresses from which `host/cron` may speak",
        "what is denied at one of the machine's addresses is denied at all of them, loopback included; name the process instead",
      ],
    ]);
    expect(mapOf(result).processes).toEqual([
      "host/cron: 6/0-79 drop by b, 6/80-80 allow by b/1, 6/81-65535 drop by b, else drop by b",
    ]);
  });

  it("is not said to be told apart where its addresses are let in alike, by whatever rules", () => {
    const at = (address: `${string}/${number}`) =>
      rule("allow", [cidr(address, { matchesWorkloads: true })]);
    const rules = [at("127.0.0.0/8"), at("::1/128"), at(`${HOST}/32`)];
    const alike = compiled(
      app([
        "b",
        "ingress",
        "host:app=nginx",
        [rule("deny", [chosen("host:app=cron")], [tcp(22)]), ...rules],
      ]),
    );
    expect(mapOf(alike).processes.map((one) => one.split(":")[0])).toEqual(["host/cron"]);
    expect(alike.diagnostics).toEqual([]);
  });

  it("is let in over one family by a prefix of that family: such a class is one for each", () => {
    const both = workload("shop/both", ["10.0.0.7", "fd00::7"], { app: "both" });
    const set = app(
      [
        "b",
        "ingress",
        "shop:app=both",
        [rule("allow", [cidr("0.0.0.0/0", { matchesWorkloads: true })])],
      ],
      ["c", "egress", "host:app=cron", [rule("allow", [any])]],
    );
    const all = inventory([both, cron], [HOST, "fd00::fe"]);
    const endpoints = [endpointOf(both)];
    const options = { now: T0, revision: 1, endpoints, processes: localProcess(cron) };
    const { policy, diagnostics } = compile(set, all, options);
    const verdict = (source: string, destination: string) => {
      const query = { source, destination, protocol: TCP, port: 1, sourceProcess: "host/cron" };
      return lookup(policy, "live", query, T0).verdict;
    };
    expect(verdict(HOST, "10.0.0.7")).toBe("allow");
    expect(verdict("fd00::fe", "fd00::7")).toBe("drop");
    expect(new Set(policy.live.subjects.ingress.map(([, id]) => id)).size).toBe(2);
    expect(diagnostics).toEqual([]);
    const alone = compile(set, all, { ...options, processes: [] }).policy;
    expect(new Set(alone.live.subjects.ingress.map(([, id]) => id)).size).toBe(1);
  });

  it("has timed entries of its own", () => {
    const rules = [rule("allow", [chosen("host:app=cron")], [tcp(22)], { expiresAt: T0 + 1000 })];
    const { policy } = compiled(toDb(...rules));
    expect(policy.live.processOverlay).toMatchObject([
      { process: "host/cron", protocol: TCP, ports: [22, 22], deadline: T0 + 1000 },
    ]);
    const query = {
      source: HOST,
      destination: "10.0.0.2",
      protocol: TCP,
      port: 22,
      sourceProcess: "host/cron",
    };
    const verdicts = [T0, T0 + 1000].map((now) => lookup(policy, "live", query, now).verdict);
    expect(verdicts).toEqual(["allow", "drop"]);
    const udp = { ...query, protocol: UDP };
    expect(lookup(policy, "live", udp, T0).verdict).toBe("drop");
  });

  it("makes a class of the shadow differ where it is the node in one view only", () => {
    const set = app(
      ["b", "ingress", "shop:app=db", []],
      ["c", "egress", "host:app=cron", [rule("allow", [any])], { enforce: "staged" }],
    );
    const { policy } = compiled(set);
    const query = {
      source: HOST,
      destination: "10.0.0.2",
      protocol: TCP,
      port: 22,
      sourceProcess: "host/cron",
    };
    expect(lookup(policy, "live", query, T0).verdict).toBe("allow");
    expect(lookup(policy, "shadow", query, T0).verdict).toBe("drop");
    expect(policy.shadow.subjects.ingress.map(([address]) => address)).toEqual(["10.0.0.2"]);
  });
});

it("the addresses of a workload's node are told, without those that somebody else claims", () => {
  const node: Workload = { ...workload("nodes/n", ["10.0.0.8", "10.0.0.9"]), kind: "node" };
  const web: Workload = { ...workload("shop/web", "10.0.0.3"), node: node.id };
  const rival = workload("shop/rival", "10.0.0.9");
  const nodeOf = (...workloads: readonly Workload[]) =>
    compile(shut("shop:"), inventory(workloads, [HOST]), {
      now: T0,
      revision: 1,
      endpoints: [endpointOf(web)],
      processes: [],
    }).policy.endpoints.map((one) => one.node);
  expect(nodeOf(web, node)).toEqual([["10.0.0.8", "10.0.0.9"]]);
  expect(nodeOf(web, node, rival)).toEqual([["10.0.0.8"]]);
  expect(nodeOf(rival, web, node)).toEqual([["10.0.0.8"]]);
  expect(nodeOf(web)).toEqual([undefined]);
});
