/** What is exempt by declaration: the machine's resolver and its leases, in the reference and in the compiled form alike. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  TCP,
  UDP,
  type Endpoint,
  type Inventory,
  type Profile,
  type Workload,
} from "@bulkhead/model";
import {
  compile,
  createDecider,
  decide,
  expandConnections,
  explain,
  indexInventory,
  lookup,
  reach,
} from "../src/index.ts";
import { agrees, DIRECTIONS, looked, reported } from "./agreement.ts";
import { claim, enough, failureOf } from "./check.ts";
import { block, inventory, policySet, stage, T0, workload } from "./small-sets.ts";
import { ADDRESSES, contestedWorldArbitrary, endpointOf, NOW } from "./worlds.ts";

const BOUND = [
  ...[53, 67, 68, 546, 547, 8080].map((port) => ({ protocol: UDP, port })),
  ...[53, 67, 8080].map((port) => ({ protocol: TCP, port })),
];
const VIEWS = ["live", "shadow"] as const;

describe("lookup(compile(set)) == decide(set), where exemptions are declared", () => {
  it("for every pair of addresses, also such as several workloads claim", () => {
    const reached = new Map<string, number>();
    const same = fc.property(contestedWorldArbitrary, ({ set, inventory: known, endpoints }) => {
      const index = indexInventory(known);
      const { policy, cookies } = compile(set, known, { now: NOW, revision: 1, endpoints });
      const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
      const local = new Set(endpoints.flatMap(({ addresses }) => addresses));
      for (const source of ADDRESSES) {
        for (const destination of ADDRESSES) {
          for (const bound of BOUND) {
            const query = { source, destination, ...bound };
            const ways = { egress: local.has(source), ingress: local.has(destination) };
            if (!ways.egress && !ways.ingress) continue;
            for (const view of VIEWS) {
              const said = decide(set, index, query, { now: NOW, view });
              const found = lookup(policy, view, query, NOW);
              for (const direction of DIRECTIONS.filter((way) => ways[way])) {
                const { determinedBy } = said[direction];
                const exempt = determinedBy.kind === "exemption" ? determinedBy.exemption : "";
                const isOwn = exempt === "node" && index.at(source).kind === "workload";
                const name = isOwn ? "own node" : exempt;
                reached.set(name, (reached.get(name) ?? 0) + 1);
                const got = looked(found[direction]);
                const expected = reported(said[direction], cookieOf);
                claim(agrees(got, expected), `decide ${expected}, lookup ${got}`, {
                  view,
                  direction,
                  query,
                });
              }
            }
          }
        }
      }
    });
    expect(failureOf(same, 100)).toBe("");
    for (const name of ["dns", "dhcp", "node", "own node", "hairpin"])
      expect(reached.get(name) ?? 0, name).toBeGreaterThan(enough(100));
  });
});

describe("a pod's own node", () => {
  const node = (name: string, address: string): Workload => ({
    ...workload(`:nodes/${name}`, address),
    kind: "node",
  });
  const pod = { ...workload("shop/db", "10.0.0.2", { app: "db" }), node: ":nodes/n1" };
  const twin = { ...pod, id: "shop/db2", name: "db2", addresses: ["10.0.0.3"], node: ":nodes/n2" };
  const cluster = inventory([node("n1", "10.9.0.1"), node("n2", "10.9.0.2"), pod, twin]);
  const index = indexInventory(cluster);
  const shut = (profile: Partial<Profile> = {}) =>
    policySet(
      [
        stage("s", "denyOverrides", [
          block("shut", "ingress", "shop:app=db", []),
          block("out", "egress", "shop:app=db", []),
        ]),
      ],
      profile,
    );
  const told = (source: string, destination: string, profile?: Partial<Profile>) => {
    const query = { source, destination, protocol: TCP, port: 80 };
    const set = shut(profile);
    const { verdict, ingress } = decide(set, index, query, { now: T0, view: "live" });
    const endpoints = [pod, twin].map(endpointOf);
    const { policy } = compile(set, cluster, { now: T0, revision: 1, endpoints });
    expect(lookup(policy, "live", query, T0).verdict).toBe(verdict);
    const decider = createDecider(set, index, { now: T0, view: "live" });
    expect(decider(query)).toEqual(decide(set, index, query, { now: T0, view: "live" }));
    const { determinedBy } = ingress;
    return determinedBy.kind === "exemption" ? `${verdict} ${determinedBy.exemption}` : verdict;
  };

  it("may open connections to it, and no other node may", () => {
    expect(told("10.9.0.1", "10.0.0.2")).toBe("allow node");
    expect(told("10.9.0.2", "10.0.0.2")).toBe("drop");
    expect(told("10.9.0.2", "10.0.0.3")).toBe("allow node");
  });

  it("is not open to what the pod opens: only replies go there unasked", () => {
    expect(told("10.0.0.2", "10.9.0.1")).toMatch(/^drop/);
  });

  it("is judged as everybody where the profile says so", () => {
    expect(told("10.9.0.1", "10.0.0.2", { nodeExempt: false })).toBe("drop");
  });

  it("is listed for its own pods, and only there are pods told apart by nodes", () => {
    const listed = expandConnections(reach(shut(), index, T0))
      .map(({ from, to }) => [from, to].map((end) => ("workload" in end ? end.workload : end.kind)))
      .filter(([from]) => from?.startsWith(":nodes"))
      .map((ends) => ends.join(" → "));
    expect(listed.filter((line) => line.includes("shop/"))).toEqual([
      ":nodes/n1 → shop/db",
      ":nodes/n2 → shop/db2",
    ]);
    const open = reach(policySet([]), index, T0);
    const groups = new Set(open.flatMap(({ from, to }) => [from, to]));
    expect([...groups].filter(({ kind }) => kind === "workloads")).toHaveLength(1);
  });
});

const web = workload("shop/web", ["10.0.0.1", "fd00::1"], { app: "web" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const attachments = [
  { workload: "shop/web", interface: "veth-a", bridge: "br0", addresses: ["10.0.0.1", "fd00::1"] },
  { workload: "shop/db", interface: "veth-b", addresses: ["10.0.0.2"] },
];
const known = { attachments, hostAddresses: ["10.0.0.254", "fd00::fe"] };
const world: Inventory = { ...inventory([web, db]), ...known };
const MACHINE = "10.0.0.254";

/** As the inventory has it attached. */
function attached(one: Workload): Endpoint {
  const here = attachments.find((attachment) => attachment.workload === one.id);
  return { ...endpointOf(one), interface: here?.interface ?? "veth-z", bridge: here?.bridge };
}

/** The verdict, and what is exempt on the way. The compiled maps are held to each answer. */
function ask(
  profile: Partial<Profile>,
  source: string,
  destination: string,
  port: number,
  protocol = UDP,
  about = world,
): string {
  const shut = (["egress", "ingress"] as const).flatMap((direction) =>
    ["web", "db"].map((app) => block(`${app}-${direction}`, direction, `shop:app=${app}`, [])),
  );
  const set = policySet([stage("s", "denyOverrides", shut)], { nodeExempt: false, ...profile });
  const query = { source, destination, protocol, port };
  const { decision, egress, ingress } = explain(set, indexInventory(about), query, {
    now: T0,
    view: "live",
  });
  const { policy, cookies } = compile(set, about, {
    now: T0,
    revision: 1,
    endpoints: about.workloads.map(attached),
  });
  const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
  const found = lookup(policy, "live", query, T0);
  expect(found.verdict).toBe(decision.verdict);
  for (const way of DIRECTIONS) expect(looked(found[way])).toBe(reported(decision[way], cookieOf));
  const why = [egress, ingress].flatMap(({ exemption }) =>
    exemption === undefined || exemption === "not-a-workload" ? [] : [exemption],
  );
  return [decision.verdict, ...why].join(" ");
}

describe("the machine's own resolver", () => {
  const dns = [
    { address: MACHINE, port: 53 },
    { address: "10.0.0.2", port: 53 },
    { address: "192.0.2.1", port: 53 },
  ];
  it("is reached without a rule, over UDP and TCP, at that port and address only", () => {
    expect(ask({ dns }, "10.0.0.1", MACHINE, 53)).toBe("allow dns");
    expect(ask({ dns }, "10.0.0.1", MACHINE, 53, TCP)).toBe("allow dns");
    expect(ask({ dns }, "10.0.0.1", MACHINE, 54)).toBe("drop");
    expect(ask({ dns }, "10.0.0.1", MACHINE, 53, 132)).toBe("drop");
    expect(ask({ dns }, "fd00::1", "fd00::fe", 53)).toBe("drop");
    expect(ask({}, "10.0.0.1", MACHINE, 53)).toBe("drop");
  });
  it("is the machine's, and neither a workload's nor the world's", () => {
    expect(ask({ dns }, "10.0.0.1", "10.0.0.2", 53)).toBe("drop");
    expect(ask({ dns }, "10.0.0.1", "192.0.2.1", 53)).toBe("drop");
  });
  it("does not open the way back", () => {
    expect(ask({ dns }, MACHINE, "10.0.0.1", 53)).toBe("drop");
  });
});

describe("the way from a workload to itself", () => {
  it("is open at each of its addresses, unless the profile says otherwise", () => {
    expect(ask({}, "10.0.0.1", "10.0.0.1", 80)).toBe("allow hairpin hairpin");
    expect(ask({}, "fd00::1", "fd00::1", 80)).toBe("allow hairpin hairpin");
    expect(ask({}, "10.0.0.1", "10.0.0.2", 80)).toBe("drop");
    expect(ask({ hairpinExempt: false }, "10.0.0.1", "10.0.0.1", 80)).toBe("drop");
  });
});

describe("leases", () => {
  const dhcp = ["br0"];
  it("are spoken about with the machine, where it serves them, in both families", () => {
    expect(ask({ dhcp }, "10.0.0.1", MACHINE, 67)).toBe("allow dhcp");
    expect(ask({ dhcp }, "10.0.0.1", "255.255.255.255", 67)).toBe("allow dhcp");
    expect(ask({ dhcp }, MACHINE, "10.0.0.1", 68)).toBe("allow dhcp");
    expect(ask({ dhcp }, "fd00::1", "ff02::1:2", 547)).toBe("allow dhcp");
    expect(ask({ dhcp }, "fd00::fe", "fd00::1", 546)).toBe("allow dhcp");
    expect(ask({ dhcp: ["veth-a"] }, "10.0.0.1", MACHINE, 67)).toBe("allow dhcp");
    expect(ask({ dhcp: ["veth-b"] }, "10.0.0.2", MACHINE, 67)).toBe("allow dhcp");
  });
  it("and with nobody else, about nothing else, nowhere else", () => {
    expect(ask({ dhcp }, "10.0.0.1", "10.0.0.2", 67)).toBe("drop");
    expect(ask({ dhcp }, "10.0.0.2", "10.0.0.1", 68)).toBe("drop");
    expect(ask({ dhcp }, "192.0.2.1", "10.0.0.1", 68)).toBe("drop");
    expect(ask({ dhcp }, "10.0.0.1", MACHINE, 68)).toBe("drop");
    expect(ask({ dhcp }, MACHINE, "10.0.0.1", 67)).toBe("drop");
    expect(ask({ dhcp }, "10.0.0.1", MACHINE, 67, TCP)).toBe("drop");
    expect(ask({ dhcp }, MACHINE, "10.0.0.1", 68, TCP)).toBe("drop");
    expect(ask({ dhcp }, "fd00::1", "ff02::1:3", 547)).toBe("drop");
    expect(ask({ dhcp }, "fd00::1", "ff02::1:2", 546)).toBe("drop");
    expect(ask({ dhcp }, "fd00::fe", "fd00::1", 547)).toBe("drop");
    expect(ask({ dhcp }, "10.0.0.2", MACHINE, 67)).toBe("drop");
    expect(ask({}, "10.0.0.1", MACHINE, 67)).toBe("drop");
  });
  it("are nobody's by an address that others claim as well", () => {
    for (const name of ["shop/a-rival", "shop/z-rival"]) {
      const rival = workload(name, "10.0.0.1", { app: "web" });
      const claimed = { ...inventory([web, db, rival]), ...known };
      expect(ask({ dhcp }, "10.0.0.1", MACHINE, 67, UDP, claimed)).toBe("drop");
      expect(ask({ dhcp }, MACHINE, "10.0.0.1", 68, UDP, claimed)).toBe("drop");
      expect(ask({ dhcp }, "fd00::1", "ff02::1:2", 547, UDP, claimed)).toBe("allow dhcp");
    }
  });
});

describe("what is declared about another machine", () => {
  it("is told: an interface where nothing hangs, a resolver at a foreign address", () => {
    const set = policySet([], { dhcp: ["br0", "br00"], dns: [{ address: "192.0.2.1", port: 53 }] });
    const endpoints = [{ ...endpointOf(web), interface: "veth-a", bridge: "br0" }];
    const { diagnostics, policy } = compile(set, world, { now: T0, revision: 1, endpoints });
    expect(diagnostics.map(({ code, message, help }) => [code, message, help])).toEqual([
      ["BH0604", "DHCP is declared on `br00`, where no workload hangs", "workloads hang on `br0`"],
      [
        "BH0604",
        "a resolver is declared at `192.0.2.1`, which is no address of this machine",
        "workloads reach it by rules only; the exemption is for the machine's own addresses",
      ],
    ]);
    expect(policy.endpoints[0]?.dhcp).toBe(true);
    expect(policy.profile.dns).toBe(undefined);
  });

  it("is told with the names of what workloads hang on, each once, in their order", () => {
    const hang = (...names: readonly (readonly [own: string, bridge?: string])[]) =>
      compile(policySet([], { dhcp: ["br9"] }), world, {
        now: T0,
        revision: 1,
        endpoints: names.map(([own, bridge]) => ({ ...endpointOf(web), interface: own, bridge })),
      }).diagnostics.map(({ help }) => help);
    expect(hang(["c"], ["b", "br1"], ["a", "br1"], ["d", "br0"])).toEqual([
      "workloads hang on `br0`, `br1`, `c`",
    ]);
    expect(hang()).toEqual([undefined]);
    expect(hang(["br9", "br1"])).toEqual([]);
    expect(hang(["a", "br9"])).toEqual([]);
  });
});

describe("what a datapath is told of exemptions", () => {
  const told = (dns: Profile["dns"], about: Inventory, local = about.workloads) =>
    compile(policySet([], { dhcp: ["br0"], dns }), about, {
      now: T0,
      revision: 1,
      endpoints: local.map(attached),
    });

  it("is the machine's own resolvers, in the order of addresses and ports", () => {
    const dns = ["fd00::fe 53", "10.0.0.254 5353", "192.0.2.1 53", "10.0.0.254 53"].map((text) => {
      const [address = "", port] = text.split(" ");
      return { address, port: Number(port) };
    });
    const { policy, diagnostics } = told(dns, world);
    expect(policy.profile.dns?.map(({ address, port }) => `${address} ${port}`)).toEqual([
      "10.0.0.254 53",
      "10.0.0.254 5353",
      "fd00::fe 53",
    ]);
    expect(diagnostics).toHaveLength(1);
    expect("dns" in told([], world).policy.profile).toBe(false);
  });

  it("is who is served, and by which of their addresses they are not known for sure", () => {
    const rival = workload("shop/rival", "10.0.0.1", { app: "web" });
    const known = { ...inventory([web, db, rival]), attachments };
    const { policy } = told([], known);
    expect(policy.endpoints.map(({ workload: id, dhcp }) => [id, dhcp])).toEqual([
      ["shop/db", undefined],
      ["shop/rival", undefined],
      ["shop/web", true],
    ]);
    expect(policy.contested).toEqual(["10.0.0.1"]);
    expect(told([], known, [rival]).policy.contested).toEqual(["10.0.0.1"]);
    expect(told([], known, [web]).policy.contested).toEqual(["10.0.0.1"]);
    expect(told([], known, [db]).policy.contested).toBe(undefined);
    expect("contested" in told([], world).policy).toBe(false);
    const posing = { ...db, addresses: ["fd00::1", "10.0.0.2", "10.0.0.99"] };
    expect(told([], world, [posing]).policy.contested).toEqual(["10.0.0.99", "fd00::1"]);
  });
});
