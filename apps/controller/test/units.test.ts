/** Units of the machine as workloads: their names and labels, who was declared, who is remembered, and who owns a flow's end. */
import { describe, expect, it } from "vitest";
import { TCP } from "@bulkhead/model";
import type { DiscoveredProcess } from "@bulkhead/wire";
import { ApiFailure } from "@bulkhead/api";
import { resolveEnd } from "../src/queries/ends.ts";
import { createNamer } from "../src/world/naming.ts";
import { createUnitMemory, type KnownProcess } from "../src/world/unit-memory.ts";
import { nameUnits } from "../src/world/unit-names.ts";
import { buildWorld } from "../src/world/world.ts";
import { endpoint, reading, service, surroundings } from "./fixtures.ts";

const named = (...found: readonly DiscoveredProcess[]) => [...nameUnits(found).values()];
const inventory = (workloads: string) =>
  reading([
    {
      name: "inventory.yaml",
      text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: shop }
spec: { workloads: ${workloads} }
`,
    },
  ]).declared;
const worldOf = (found: readonly KnownProcess[], workloads = "[]") =>
  buildWorld(inventory(workloads), surroundings([], { processes: found }));

describe("names and labels of units", () => {
  it("come from unit, slice and template", () => {
    expect(
      named(service("/system.slice/system-postgresql.slice/postgresql@15-main.service")),
    ).toEqual([
      {
        namespace: "host",
        name: "postgresql-15-main.service",
        labels: {
          "bulkhead.dev/unit": "postgresql-15-main.service",
          "bulkhead.dev/slice": "system-postgresql.slice",
          app: "postgresql",
        },
      },
    ]);
  });

  it("decode what systemd escapes, and stay valid whatever it was", () => {
    const long = `${"a".repeat(200)}.service`;
    const [mount, huge, strange] = named(
      service("/system.slice/dev-disk\\x2dby\\x2dlabel.service"),
      service(`/system.slice/${long}`),
      service("/system.slice/\\xc3\\xa9-.-x.service"),
    );
    expect(mount?.name).toBe("dev-disk-by-label.service");
    expect(huge?.name).toMatch(/^a{54}-[0-9a-f]{8}\.service$/);
    expect(huge?.labels["bulkhead.dev/unit"]).toHaveLength(63);
    expect(strange?.name).toBe("x.service");
  });

  it("tell two apart that would have one, and leave it to the unit that it is the name of", () => {
    const plain = service("/system.slice/foo-a.service");
    const other = service("/system.slice/foo@a.service");
    const [first, second] = named(plain, other);
    expect(first?.name).toBe("foo-a.service");
    expect(second?.name).toMatch(/^foo-a\.service-[0-9a-f]{6}$/);
    expect(second?.labels["bulkhead.dev/unit"]).not.toBe(first?.labels["bulkhead.dev/unit"]);
    expect(named(other, plain).toReversed()).toEqual([first, second]);
  });

  it("are the user's for a user's slice", () => {
    const slice = { form: "user", sockets: [], cgroup: "/user.slice/user-1000.slice" } as const;
    expect(named({ ...slice, unit: "user-1000.slice", user: "alice" })).toEqual([
      {
        namespace: "host",
        name: "user-alice",
        labels: {
          "bulkhead.dev/unit": "user-1000.slice",
          "bulkhead.dev/slice": "user.slice",
          "bulkhead.dev/user": "alice",
        },
      },
    ]);
    expect(named({ ...slice, unit: "user-1000.slice" })[0]?.name).toBe("user-1000");
  });

  it("are the runtime's for a container on the machine's network, and forged ones are nobody's", () => {
    const container: DiscoveredProcess = {
      cgroup: `/docker/${"ab".repeat(32)}`,
      form: "container",
      unit: "ab".repeat(32),
      container: "node_exporter",
      containerLabels: {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "metrics",
        "app.kubernetes.io/name": "exporter",
        "bulkhead.dev/unit": "sshd.service",
        ":mesh": "sidecar",
      },
      image: "prom/node-exporter:v1",
      sockets: [],
    };
    expect(named(container)).toEqual([
      {
        namespace: "shop",
        name: "node-exporter",
        labels: { app: "metrics", "app.kubernetes.io/name": "exporter" },
      },
    ]);
    const { container: _, containerLabels: _labels, ...nameless } = container;
    expect(named(nameless)[0]).toEqual({ namespace: "host", name: "ab".repeat(6), labels: {} });
  });
});

describe("units in the world", () => {
  const web = service("/system.slice/nginx.service", {
    sockets: [{ family: 4, protocol: TCP, port: 80 }],
  });
  const socket = { protocol: TCP, port: 80 };

  it("are workloads without an address, with their sockets", () => {
    const world = worldOf([web]);
    expect(world.inventory.workloads).toMatchObject([
      {
        id: "host/nginx.service",
        kind: "process",
        cgroup: web.cgroup,
        addresses: [],
        sockets: web.sockets,
      },
    ]);
    expect(world.processes).toEqual([{ workload: "host/nginx.service", cgroup: web.cgroup }]);
  });

  it.each([
    ["unit", "nginx.service"],
    ["unit", "/system.slice/nginx.service"],
  ])("are who an Inventory says, by %s %s", (kind, name) => {
    const world = worldOf([web], `[{ name: front, ${kind}: ${name}, labels: { app: front } }]`);
    expect(world.inventory.workloads).toMatchObject([
      { id: "shop/front", labels: { app: "front" }, cgroup: web.cgroup, sockets: web.sockets },
    ]);
  });

  it("are one where a slice was declared: nobody lies in another", () => {
    const other = service("/system.slice/db.service");
    const world = worldOf([web, other], "[{ name: all, unit: /system.slice }]");
    expect(world.processes).toEqual([{ workload: "shop/all", cgroup: "/system.slice" }]);
    expect(world.inventory.workloads).toMatchObject([{ id: "shop/all", sockets: web.sockets }]);
    const inner = worldOf([web], "[{ name: worker, unit: /system.slice/nginx.service/worker }]");
    expect(inner.processes).toEqual([{ workload: "host/nginx.service", cgroup: web.cgroup }]);
  });

  it("of the same name in two places are not one", () => {
    const twin = service("/other.slice/nginx.service");
    const world = worldOf([web, twin], "[{ name: front, unit: nginx.service }]");
    const ids = world.processes.map(({ workload }) => workload);
    expect(new Set(ids).size).toBe(2);
    expect(ids).toContain("shop/front");
  });

  it("that do not run keep their place, and the sockets that were declared", () => {
    const gone: KnownProcess = { ...web, sockets: [], gone: true };
    const text = "[{ name: front, unit: nginx.service, sockets: [{ port: 80 }] }]";
    expect(worldOf([gone], text).inventory.workloads[0]?.sockets).toEqual([
      { family: 4, ...socket },
      { family: 6, ...socket },
    ]);
    expect(worldOf([gone]).processes).toHaveLength(1);
    expect(worldOf([web], text).inventory.workloads[0]?.sockets).toEqual(web.sockets);
  });

  it("do not take the name of somebody else", () => {
    const world = buildWorld(
      inventory("[{ name: nginx.service, namespace: host, netns: other }]"),
      surroundings([endpoint("other", { addresses: ["10.9.0.20"] })], { processes: [web] }),
    );
    expect(world.processes[0]?.workload).toBe("host/nginx.service-unit");
  });

  it("own the machine's end of a flow by their group, or by the socket it went to", () => {
    const name = createNamer(worldOf([web, service("/system.slice/curl.service")]), []);
    expect(name("10.9.0.1").name).toBe("host");
    expect(name("10.9.0.1", { socket })).toMatchObject({
      name: "host/nginx.service",
      workload: "host/nginx.service",
      labels: { app: "nginx" },
    });
    expect(name("10.9.0.1", { cgroup: "/system.slice/curl.service/inner" }).name).toBe(
      "host/curl.service",
    );
    expect(name("127.0.0.1", { cgroup: "/elsewhere" }).name).toBe("host");
    expect(name("198.51.100.1", { socket }).name).toBe("world");
  });

  it("who claim the same socket both are not believed", () => {
    const rival = service("/system.slice/rival.service", { sockets: web.sockets });
    expect(createNamer(worldOf([web, rival]), [])("10.9.0.1", { socket }).name).toBe("host");
  });
});

describe("units that have ended", () => {
  const path = (name: string) => `/system.slice/${name}`;
  const gone = (found: readonly KnownProcess[]) =>
    found.filter((one) => one.gone === true).map(({ unit }) => unit);
  const remember = (stored: string | null = null) => {
    const saved: string[] = [];
    return { saved, ...createUnitMemory({ stored, save: (text) => saved.push(text) }) };
  };

  it("are known on, also after a restart; what systemd made up is not", () => {
    const memory = remember();
    memory.recall([service(path("backup.service")), service(path("run-r1f.service"))]);
    expect(gone(memory.recall([]))).toEqual(["backup.service"]);
    expect(gone(remember(memory.saved.at(-1) ?? null).recall([]))).toEqual(["backup.service"]);
  });

  it("are written down only when something changed", () => {
    const memory = remember();
    const here = [service(path("a.service"))];
    memory.recall(here);
    memory.recall(here);
    expect(memory.saved).toHaveLength(1);
  });

  it("do not pile up, and leave when a group around them becomes a unit", () => {
    const memory = remember();
    memory.recall(Array.from({ length: 600 }, (_, at) => service(path(`u${at}.service`))));
    expect(gone(memory.recall([]))).toHaveLength(512);
    expect(gone(memory.recall([service("/system.slice", { form: "group" })]))).toEqual([]);
  });
});

describe("what people call units", () => {
  const units = [
    service("/system.slice/nginx.service"),
    service("/system.slice/system-postgresql.slice/postgresql@15-main.service"),
  ];
  const end = (text: string, ...more: readonly DiscoveredProcess[]) => {
    try {
      return resolveEnd(text, worldOf([...units, ...more]), []).name;
    } catch (error) {
      return error instanceof ApiFailure ? error.help : error;
    }
  };

  it("is understood where one alone can be meant", () => {
    expect(end("nginx")).toBe("host/nginx.service");
    expect(end("host/nginx")).toBe("host/nginx.service");
    expect(end("postgresql")).toBe("host/postgresql-15-main.service");
    const other = service("/system.slice/system-postgresql.slice/postgresql@16-main.service");
    expect(end("postgresql", other)).toBe(
      "say which: `host/postgresql-15-main.service`, `host/postgresql-16-main.service`",
    );
    expect(end("nginz")).toContain("`bulkhead workloads` lists them");
  });
});
