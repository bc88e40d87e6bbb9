/** Who is who: declared or not, attached or not, named for people. */
import { describe, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import { compileIndexed, decide } from "@bulkhead/engine";
import { createNamer } from "../src/world/naming.ts";
import { buildWorld } from "../src/world/world.ts";
import { NOTHING_DECLARED } from "../src/world/declared.ts";
import { resolveEnd } from "../src/queries/ends.ts";
import { endpoint, INVENTORY, reading, service, shop, surroundings } from "./fixtures.ts";

describe("buildWorld", () => {
  it("joins what is attached with what was declared", () => {
    const { world } = shop([]);
    expect(world.index.workloads.get("shop/db")).toMatchObject({
      labels: { app: "db" },
      addresses: ["10.9.0.11", "fd99::11"],
    });
    expect(world.endpoints.map(({ workload }) => workload)).toEqual([
      "shop/web",
      "shop/db",
      "shop/evil",
    ]);
    expect([...world.declared].toSorted()).toEqual(["shop/db", "shop/evil", "shop/web"]);
  });

  it("is the same whatever world it is built from", () => {
    const { reading: read, world } = shop([]);
    const moved = surroundings([
      endpoint("web", { addresses: ["10.9.0.99"] }),
      endpoint("stray", { addresses: ["10.9.0.11"] }),
    ]);
    const [fresh, next] = [undefined, world].map((before) => {
      const { index, ...others } = buildWorld(read.declared, moved, before);
      const { inventory, workloads, known, contested } = index;
      return { others, inventory, workloads: [...workloads], known, contested };
    });
    expect(next).toEqual(fresh);
  });

  it("knows where workloads hang, so that what is declared by bridge is theirs", () => {
    const machine = {
      name: "machine.yaml",
      text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: machine }
spec: { machine: { dhcp: [br0], dns: [10.9.0.1] } }
`,
    };
    const read = reading([INVENTORY, machine]);
    const around = surroundings([
      endpoint("web", { addresses: ["10.9.0.10"], bridge: "br0" }),
      endpoint("db", { addresses: ["10.9.0.11"], bridge: "br1" }),
    ]);
    const { endpoints, index } = buildWorld(read.declared, around);
    const options = { now: 0, revision: 1, endpoints };
    const { policy, diagnostics } = compileIndexed(read.set, index, options);
    expect(policy.endpoints.map(({ workload, dhcp }) => [workload, dhcp])).toEqual([
      ["shop/db", undefined],
      ["shop/web", true],
    ]);
    expect(policy.profile.dns).toEqual([{ address: "10.9.0.1", port: 53 }]);
    expect(diagnostics).toEqual([]);
    const lease = (source: string) =>
      decide(
        read.set,
        index,
        { source, destination: "10.9.0.1", protocol: 17, port: 67 },
        { now: 0, view: "live" },
      ).egress.determinedBy;
    expect(lease("10.9.0.10")).toEqual({ kind: "exemption", exemption: "dhcp" });
    expect(lease("10.9.0.11")).toEqual({ kind: "default" });
  });

  it("names what nobody declared by where it was found, containers by their project", () => {
    const world = buildWorld(
      NOTHING_DECLARED,
      surroundings([
        endpoint("My_Netns", { addresses: ["10.9.0.20"] }),
        endpoint("shop-web-1", {
          kind: "container",
          interface: "veth1",
          addresses: ["10.9.0.21"],
          containerLabels: {
            "com.docker.compose.project": "Shop",
            "com.docker.compose.service": "web",
            tier: "front",
            ":service-account": "admin",
          },
        }),
      ]),
    );
    expect(world.inventory.workloads.map(({ id, labels }) => [id, labels])).toEqual([
      ["default/my-netns", {}],
      ["shop/shop-web-1", { app: "web", tier: "front" }],
    ]);
  });

  it("remembers what was found under names of its own before somebody declared it", () => {
    const text = `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: crm }
spec:
  workloads:
    - { name: web, netns: My_Netns }
    - { name: away, netns: away }
    - { name: api, container: shop-api-1 }
    - { name: db, unit: postgresql.service }
    - { name: twin, netns: twin }
    - { name: "twin-too", container: twin }
---
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: named, namespace: default }
spec: { workloads: [{ name: printer, addresses: [192.0.2.9] }, { name: copier, netns: printer }] }
`;
    const { declared } = reading([{ name: "inventory.yaml", text }]);
    const found = surroundings(
      [
        endpoint("My_Netns", { addresses: ["10.9.0.20"] }),
        endpoint("shop-api-1", {
          kind: "container",
          interface: "veth1",
          addresses: ["10.9.0.21"],
          containerLabels: { "com.docker.compose.project": "Shop" },
        }),
        endpoint("stray", { addresses: ["10.9.0.22"] }),
      ],
      { processes: [service("/system.slice/postgresql.service")] },
    );
    const { inventory } = buildWorld(declared, found);
    expect([...(inventory.foundAs ?? [])].toSorted()).toEqual([
      ["default/away", "crm/away"],
      ["default/my-netns", "crm/web"],
      ["default/shop-api-1", "crm/api"],
      ["host/postgresql.service", "crm/db"],
      ["shop/shop-api-1", "crm/api"],
    ]);
    const before = buildWorld(NOTHING_DECLARED, found).inventory.workloads;
    const now = new Set(inventory.workloads.map(({ id }) => id));
    const gone = before.filter(({ id }) => !now.has(id)).map(({ id }) => id);
    expect(gone).toEqual(["default/my-netns", "host/postgresql.service", "shop/shop-api-1"]);
    expect(gone.every((id) => inventory.foundAs?.has(id))).toBe(true);
  });

  it("keeps a declared workload that is not attached, without addresses", () => {
    const { declared } = reading([INVENTORY]);
    const world = buildWorld(declared, surroundings([]));
    expect(world.index.workloads.get("shop/web")?.addresses).toEqual([]);
    expect(world.attachments.size).toBe(0);
  });

  it("takes several interfaces of one namespace as one workload", () => {
    const world = buildWorld(
      NOTHING_DECLARED,
      surroundings([
        endpoint("router", { interface: "v1", addresses: ["10.9.0.20"] }),
        endpoint("router", { interface: "v2", addresses: ["10.9.1.20"] }),
      ]),
    );
    expect(world.inventory.workloads).toMatchObject([
      { id: "default/router", addresses: ["10.9.0.20", "10.9.1.20"] },
    ]);
    expect(world.endpoints).toHaveLength(2);
  });

  it("lets a link-local address that two links use name nobody", () => {
    const world = buildWorld(
      NOTHING_DECLARED,
      surroundings([
        endpoint("a", { interface: "v1", addresses: ["fe80::5", "fe80::1"] }),
        endpoint("b", { interface: "v2", addresses: ["fe80::5", "fe80::2"] }),
      ]),
    );
    expect(world.index.at("fe80::5").kind).toBe("world");
    expect(world.index.at("fe80::1").workload?.id).toBe("default/a");
  });
});

describe("names", () => {
  it("prefers the workload, then the host, then the narrowest set, then the world", () => {
    const { world } = shop([]);
    const name = createNamer(world, [
      { name: "shop/office", cidrs: ["192.0.2.0/24"] },
      { name: "shop/printer", cidrs: ["192.0.2.9/32", "2001:db8::9/128"] },
      { name: "shop/everything", cidrs: ["10.0.0.0/8"] },
    ]);
    expect(
      [
        "10.9.0.11",
        "10.9.0.1",
        "192.0.2.9",
        "192.0.2.8",
        "2001:db8::9",
        "10.1.1.1",
        "203.0.113.1",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
      ].map((at) => name(at).name),
    ).toEqual([
      "shop/db",
      "host",
      "shop/printer",
      "shop/office",
      "shop/printer",
      "shop/everything",
      "world",
      "multicast",
      "multicast",
      "broadcast",
    ]);
    expect(name("10.9.0.11")).toBe(name("10.9.0.11"));
    expect(name("10.9.0.11")).toMatchObject({ workload: "shop/db", labels: { app: "db" } });
  });
});

describe("resolveEnd", () => {
  const { world } = shop([]);
  const sets = [{ name: "shop/office", cidrs: ["192.0.2.0/24"] }] as const;

  it.each([
    ["shop/web", "shop/web", ["10.9.0.10", "fd99::10"]],
    ["web", "shop/web", ["10.9.0.10", "fd99::10"]],
    ["10.9.0.10", "shop/web", ["10.9.0.10"]],
    ["FD99:0::10", "shop/web", ["fd99::10"]],
    ["host", "host", ["10.9.0.1", "fd99::1"]],
    ["10.9.0.1", "host", ["10.9.0.1"]],
    ["203.0.113.4", "203.0.113.4", ["203.0.113.4"]],
    ["office", "shop/office", ["192.0.2.0"]],
  ])("reads %s", (text, name, addresses) => {
    expect(resolveEnd(text, world, sets)).toMatchObject({ name, addresses });
  });

  it("takes addresses for the world that are nobody's", () => {
    for (const address of resolveEnd("world", world, sets).addresses)
      expect(world.index.at(address).kind).toBe("world");
  });

  it("refuses what nobody is called, with near names", () => {
    const refusal = (() => {
      try {
        return resolveEnd("we", world, sets);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(ApiFailure);
    expect(refusal).toMatchObject({
      code: "unknown-workload",
      help: expect.stringContaining("shop/web"),
    });
  });
});
