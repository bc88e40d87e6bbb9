/** Processes of the machine at the ends of a flow, as decision 0061 reads them. */
import { describe, expect, it } from "vitest";
import { TCP, UDP, type FlowQuery, type PolicySet } from "@bulkhead/model";
import { decide, endsOf, explain, indexInventory, replay, type View } from "../src/index.ts";
import {
  any,
  block,
  chosen,
  cidr,
  inventory,
  policySet,
  rule,
  stage,
  T0,
  tcp,
  unit,
  workload,
} from "./small-sets.ts";

const HOST = "10.0.0.254";
const WORLD = "192.0.2.1";
const nginx = unit("host/nginx", ["80/tcp", "127.0.0.1:8081/tcp"], { app: "nginx" }, [
  { name: "http", protocol: TCP, port: 80 },
]);
const backup = unit("host/backup", [], { app: "backup" });
const cron = unit("host/cron", ["[::1]:80/tcp", "53/udp"], { app: "cron" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const world = inventory([nginx, backup, cron, db], [HOST, "fd00::fe"]);
const index = indexInventory(world);

const toDb: FlowQuery = { source: HOST, destination: "10.0.0.2", protocol: TCP, port: 5432 };
const toNginx: FlowQuery = { source: WORLD, destination: HOST, protocol: TCP, port: 80 };

function ends(query: Partial<FlowQuery>) {
  const { source, destination } = endsOf(index, { ...toNginx, ...query });
  return [source, destination].map(({ kind, workload: who }) => who?.id ?? kind);
}

function says(
  set: PolicySet,
  query: FlowQuery,
  direction: "egress" | "ingress",
  view: View = "live",
): string {
  const { verdict, determinedBy: by } = decide(set, index, query, { now: T0, view })[direction];
  switch (by.kind) {
    case "rule":
      return `${verdict} ${by.rule}`;
    case "isolation":
      return `${verdict} isolation ${by.block}`;
    case "default":
      return `${verdict} default`;
    case "exemption":
      return `${verdict} ${by.exemption}`;
  }
}

const one = (...blocks: Parameters<typeof block>[]) =>
  policySet([
    stage(
      "s",
      "denyOverrides",
      blocks.map((said) => block(...said)),
    ),
  ]);

describe("an end on the machine", () => {
  it("is the owner of the socket that is addressed, and the process that the flow tells of", () => {
    expect(ends({})).toEqual(["world", "host/nginx"]);
    expect(ends({ port: 81 })).toEqual(["world", "host"]);
    expect(ends({ protocol: UDP })).toEqual(["world", "host"]);
    expect(ends({ destination: "fd00::fe" })).toEqual(["world", "host/nginx"]);
    expect(ends({ source: HOST, sourceProcess: "host/backup" })).toEqual([
      "host/backup",
      "host/nginx",
    ]);
    expect(ends({ destinationProcess: "host/cron" })).toEqual(["world", "host/cron"]);
    expect(ends({ source: HOST })).toEqual(["host", "host/nginx"]);
  });

  it("takes no name for a process that is none", () => {
    expect(ends({ sourceProcess: "shop/db" })).toEqual(["world", "host/nginx"]);
    expect(ends({ destinationProcess: "host/gone" })).toEqual(["world", "host/nginx"]);
  });

  it("counts loopback as the machine, and a socket bound to one address before one bound to all", () => {
    expect(ends({ destination: "127.0.0.1" })).toEqual(["world", "host/nginx"]);
    expect(ends({ destination: "127.3.2.1" })).toEqual(["world", "host/nginx"]);
    expect(ends({ destination: "127.255.255.255", port: 81 })).toEqual(["world", "host"]);
    expect(ends({ destination: "128.0.0.0" })).toEqual(["world", "world"]);
    expect(ends({ destination: "::1" })).toEqual(["world", "host/cron"]);
    expect(ends({ destination: "::2" })).toEqual(["world", "world"]);
    expect(ends({ destination: "127.0.0.1", port: 8081 })).toEqual(["world", "host/nginx"]);
    expect(ends({ destination: HOST, port: 8081 })).toEqual(["world", "host"]);
  });

  it("is the workload's that claims the address, not its processes'", () => {
    const greedy = workload("shop/greedy", [HOST, "127.0.0.1"], { app: "greedy" });
    const claimed = indexInventory({ ...world, workloads: [...world.workloads, greedy] });
    expect(endsOf(claimed, toNginx).destination.workload?.id).toBe("shop/greedy");
    expect(endsOf(claimed, { ...toNginx, destination: "127.0.0.1" }).destination.workload?.id).toBe(
      "host/nginx",
    );
  });
});

describe("a rule about a process", () => {
  const shut = one(["db", "ingress", "shop:app=db", [rule("allow", [chosen("host:app=nginx")])]]);

  it("selects by workload, as subject and as peer", () => {
    const out = one(["n", "egress", "host:app=nginx", [rule("allow", [chosen("host:app=cron")])]]);
    const from = { sourceProcess: "host/nginx" } as const;
    expect(says(out, { ...toDb, ...from }, "egress")).toBe("drop isolation n");
    expect(says(out, { ...toDb, sourceProcess: "host/backup" }, "egress")).toBe("allow default");
    expect(says(out, toDb, "egress")).toBe("allow not-a-workload");
    const toCron = { ...toNginx, source: "::1", destination: "::1", ...from };
    expect(says(out, toCron, "egress")).toBe("allow n/0");
    const both = one(
      ["db", "ingress", "shop:app=db", [rule("allow", [chosen("host:app=nginx")])]],
      ["n", "egress", "host:", [rule("allow", [any])]],
    );
    expect(says(both, { ...toDb, ...from }, "ingress")).toBe("allow db/0");
    expect(says(both, { ...toDb, sourceProcess: "host/cron" }, "ingress")).toBe(
      "drop isolation db",
    );
  });

  it("lets the node in, and whichever of its processes has no policy", () => {
    expect(says(shut, toDb, "ingress")).toBe("allow node");
    expect(says(shut, { ...toDb, sourceProcess: "host/backup" }, "ingress")).toBe("allow node");
    const somebody = one(
      ["db", "ingress", "shop:app=db", []],
      ["b", "ingress", "host:app=backup", [rule("allow", [any])], { enforce: "staged" }],
    );
    const query = { ...toDb, sourceProcess: "host/backup" };
    expect(says(somebody, query, "ingress")).toBe("allow node");
    expect(says(somebody, query, "ingress", "shadow")).toBe("drop isolation db");
  });

  it("never frees the way to another process, but the way to itself", () => {
    const set = one(["n", "ingress", "host:app=nginx", []]);
    const near = { ...toNginx, source: "127.0.0.1", destination: "127.0.0.1" };
    expect(says(set, near, "ingress")).toBe("drop isolation n");
    expect(says(set, { ...near, sourceProcess: "host/backup" }, "ingress")).toBe(
      "drop isolation n",
    );
    expect(says(set, { ...near, sourceProcess: "host/nginx" }, "ingress")).toBe("allow hairpin");
    const strict = policySet(set.stages, { hairpinExempt: false });
    expect(says(strict, { ...near, sourceProcess: "host/nginx" }, "ingress")).toBe(
      "drop isolation n",
    );
  });

  it("leaves what goes by address as it was: the entity host, and prefixes", () => {
    const out = one([
      "db",
      "egress",
      "shop:app=db",
      [
        rule("allow", [{ kind: "entity", entity: "host" }], [tcp(80)]),
        rule("allow", [cidr("10.0.0.254/32", { matchesWorkloads: true })], [tcp(81)]),
        rule("allow", [cidr("10.0.0.254/32")], [tcp(82)]),
      ],
    ]);
    const query = { ...toNginx, source: "10.0.0.2" };
    expect(says(out, query, "egress")).toBe("allow db/0");
    const whoever = { destinationProcess: "host/cron" };
    expect(says(out, { ...query, port: 81, ...whoever }, "egress")).toBe("allow db/1");
    expect(says(out, { ...query, port: 82, ...whoever }, "egress")).toBe("drop isolation db");
  });

  it("reads names of ports on the socket's owner", () => {
    const http = { kind: "named", name: "http", protocol: TCP } as const;
    const out = one(["db", "egress", "shop:app=db", [rule("allow", [chosen("host:")], [http])]]);
    expect(says(out, { ...toNginx, source: "10.0.0.2" }, "egress")).toBe("allow db/0");
    expect(says(out, { ...toNginx, source: "10.0.0.2", destination: "::1" }, "egress")).toBe(
      "drop isolation db",
    );
  });

  it("knows nothing of loopback where the other end has a network of its own", () => {
    const out = one([
      "db",
      "egress",
      "shop:app=db",
      [rule("allow", [{ kind: "entity", entity: "host" }, chosen("host:")])],
    ]);
    const near = { ...toNginx, source: "10.0.0.2", destination: "127.0.0.1" };
    expect(says(out, near, "egress")).toBe("drop isolation db");
    expect(says(shut, { ...toDb, source: "127.0.0.1" }, "ingress")).toBe("drop isolation db");
  });
});

it("a socket that two claim is judged by the stricter, as subject and as peer", () => {
  const twin = unit("host/twin", ["80/tcp"], { app: "twin" });
  const claimed = indexInventory({ ...world, workloads: [...world.workloads, twin] });
  const set = one(
    ["n", "ingress", "host:app=nginx", [rule("allow", [any])]],
    ["t", "ingress", "host:app=twin", []],
    ["db", "egress", "shop:app=db", [rule("allow", [chosen("host:app=nginx")])]],
  );
  const options = { now: T0, view: "live" } as const;
  const query = { ...toNginx, source: "10.0.0.2" };
  const { egress, ingress } = decide(set, claimed, query, options);
  expect([egress.verdict, ingress.verdict]).toEqual(["drop", "drop"]);
  const arrived = decide(set, claimed, { ...query, destinationProcess: "host/nginx" }, options);
  expect([arrived.egress.verdict, arrived.ingress.verdict]).toEqual(["allow", "allow"]);
  const itself = decide(set, claimed, { ...toNginx, sourceProcess: "host/twin" }, options);
  expect(itself.ingress.determinedBy.kind).toBe("isolation");
});

it("explains who is meant, and proposes policies for processes by their labels", () => {
  const set = one(["n", "ingress", "host:app=nginx", [rule("allow", [chosen("host:app=cron")])]]);
  const query = { ...toNginx, source: "127.0.0.1", destination: "127.0.0.1" };
  const { ingress, smallestChange } = explain(
    policySet(set.stages.map((one) => ({ ...one, id: "application" }))),
    index,
    { ...query, sourceProcess: "host/backup" },
    { now: T0, view: "live" },
  );
  expect(smallestChange).toMatchObject({
    manifest: {
      metadata: { name: "allow-backup-to-nginx-80-tcp", namespace: "host" },
      spec: { subject: "app=nginx", ingress: [{ from: ["app=backup"], ports: ["80/tcp"] }] },
    },
  });
  expect(ingress.subject).toBe("host/nginx");
  expect(ingress.stages[0]!.blocks[0]!.rules[0]!.outcome).toBe(
    "peer: host/backup has app=backup, wanted `app=cron`",
  );
});

it("replays edges with the processes that were at their ends, those that are gone by their labels", () => {
  const before = one();
  const after = one([
    "n",
    "ingress",
    "host:app=nginx",
    [rule("allow", [chosen("host:app=backup")])],
  ]);
  const end = (address: string, who?: string, labels = {}) => ({
    address,
    name: who ?? "world",
    labels,
    ...(who === undefined ? {} : { workload: who }),
  });
  const edge = (source: ReturnType<typeof end>) => ({
    source,
    destination: end("127.0.0.1", "host/nginx", { app: "nginx" }),
    protocol: TCP,
    port: 80,
    verdict: "forwarded" as const,
    firstSeen: T0,
    lastSeen: T0,
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 0,
    packets: 0,
    windows: 1,
  });
  const edges = [
    edge(end("127.0.0.1", "host/backup", { app: "other, then" })),
    edge(end("127.0.0.1", "host/cron")),
    edge(end("127.0.0.1", "host/gone", { app: "backup" })),
    edge(end("127.0.0.1", "host/lost", { app: "lost" })),
  ];
  const { newlyDenied } = replay(before, after, edges, index, T0);
  expect(newlyDenied.map(({ edge: { source } }) => source.workload)).toEqual([
    "host/cron",
    "host/lost",
  ]);
});
