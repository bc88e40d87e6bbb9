/** People at a shell, what runs by the clock, and the way in: seen, told, and not confined. */
import { describe, expect, it } from "vitest";
import { formatSelector, type Edge, type Labels, type Workload } from "@bulkhead/model";
import { manifestsOf, suggest, type SuggestOptions } from "../src/index.ts";
import { edge as edgeOf, inventoryOf, SHOP, silent, workload } from "./shop.ts";
import { rulesOf } from "./told.ts";

const unit = (name: string, labels: Labels, kind: Workload["kind"] = "process"): Workload => ({
  ...workload(name, 1, labels, "host"),
  kind,
  addresses: [],
});
const service = (name: string, app = name.replace(/@.*|\.service$/, "")): Workload =>
  unit(name, { "bulkhead.dev/unit": name, "bulkhead.dev/slice": "system.slice", app });
const user = (name: string, uid: number, more: Labels = {}): Workload =>
  unit(`user-${name}`, {
    "bulkhead.dev/unit": `user-${uid}.slice`,
    "bulkhead.dev/slice": "user.slice",
    "bulkhead.dev/user": name,
    ...more,
  });
const scope = (name: string, slice: string): Workload =>
  unit(name, { "bulkhead.dev/unit": name, "bulkhead.dev/slice": slice, app: name.slice(0, -6) });

const MACHINE: readonly Workload[] = [
  service("nginx.service"),
  service("postgresql@15-main.service", "postgresql"),
  service("redis.service"),
  service("cron.service"),
  service("ssh.service"),
  service("report.service"),
  user("root", 0),
  user("alice", 1000),
  user("bob", 1001),
  scope("upgrade.scope", "system.slice"),
  scope("guest.scope", "machine.slice"),
  scope("runc-batch.scope", "system.slice"),
];
const ALL = [...SHOP, ...MACHINE];
const KNOWN = inventoryOf(ALL);
const DB = "host/postgresql@15-main.service";
const ONCE = { connections: 1, windows: 1 };

const edge = (from: string, to: string, port: string, over: Partial<Edge> = {}): Edge =>
  edgeOf(from, to, port, over, 4, ALL);

const isolated = (edges: readonly Edge[], options?: SuggestOptions, known = KNOWN) =>
  suggest(edges, known, options).isolations.flatMap(({ namespace, name, directions = ["both"] }) =>
    namespace === "host" ? [`${name}: ${directions.join(" ")}`] : [],
  );
const left = (edges: readonly Edge[], known = KNOWN) =>
  suggest(edges, known).setAside.map(({ edge: { source, destination, port }, reason }) =>
    [reason, source.name, destination.name, port].join(" "),
  );

describe("people", () => {
  const errands = [
    edge("host/user-alice", "203.0.113.9", "443/tcp"),
    edge("host/user-root", "203.0.113.10", "80/tcp"),
    edge("host/upgrade.scope", "203.0.113.10", "80/tcp"),
    edge("host/user-alice", "host/user-bob", "3000/tcp"),
    edge("203.0.113.50", "host/user-bob", "3000/tcp"),
    edge("host/cron.service", "203.0.113.11", "443/tcp"),
  ];

  it("are confined in nothing, and what they did is told", () => {
    const { rules, networkSets } = suggest(errands, KNOWN);
    expect([...rules, ...networkSets]).toEqual([]);
    expect(isolated(errands)).toEqual([]);
    expect(left(errands)).toEqual([
      "people host/cron.service world 443",
      "people host/upgrade.scope world 80",
      "people host/user-alice host/user-bob 3000",
      "people host/user-alice world 443",
      "people host/user-root world 80",
      "people world host/user-bob 3000",
    ]);
  });

  it("are confined like services where a person says so", () => {
    expect(isolated(errands, { includePeople: true })).toEqual([
      "default-deny-cron: egress",
      "default-deny-upgrade: egress",
      "default-deny-user-alice: egress",
      "default-deny-user-bob: ingress",
      "default-deny-user-root: egress",
    ]);
    const rules = rulesOf([edge("host/user-alice", DB, "5432/tcp")], KNOWN, {
      includePeople: true,
    });
    expect(rules).toEqual([
      "host/user-alice-to-postgresql: host: bulkhead.dev/user=alice → host: app=postgresql 5432/tcp",
    ]);
  });

  it("are let in by a service that one of them uses, and by it alone", () => {
    const edges = [edge("host/user-alice", DB, "5432/tcp")];
    expect(isolated(edges)).toEqual(["default-deny-postgresql: ingress"]);
    const [rule] = suggest(edges, KNOWN).rules;
    expect(rule).toMatchObject({ name: "user-alice-to-postgresql", only: "ingress", rare: false });
    const manifests = manifestsOf(suggest(edges, KNOWN)).map(({ manifest }) => manifest);
    expect(manifests.at(-1)).toMatchObject({
      kind: "Policy",
      metadata: { name: "user-alice-to-postgresql", namespace: "host" },
      spec: {
        subject: "app=postgresql",
        ingress: [{ from: ["bulkhead.dev/user=alice"], ports: ["5432/tcp"] }],
      },
    });
    expect(manifests.some(({ kind }) => kind === "Intent")).toBe(false);
  });

  it("are let in as people where several of them use it, each seldom", () => {
    const edges = ["alice", "bob", "root"].map((name) =>
      edge(`host/user-${name}`, "db", "5432/tcp", ONCE),
    );
    expect(rulesOf(edges, KNOWN)).toEqual([
      "shop/host-people-to-db-5432 (rare): host: bulkhead.dev/user → shop: app=db 5432/tcp",
    ]);
    const { rules } = suggest([...edges, edge("host/cron.service", "db", "5432/tcp")], KNOWN);
    // Not everybody who is not confined is somebody at a shell.
    expect(rules.map(({ name, only }) => [name, only])).toEqual([
      ["host-cron-to-db", "ingress"],
      ["host-people-to-db-5432", "ingress"],
    ]);
  });

  it("are called by a service whose own end alone is ruled", () => {
    const edges = [edge("host/nginx.service", "host/user-bob", "3000/tcp")];
    expect(isolated(edges)).toEqual(["default-deny-nginx: egress"]);
    expect(suggest(edges, KNOWN).rules[0]).toMatchObject({ only: "egress", namespace: "host" });
    expect(manifestsOf(suggest(edges, KNOWN)).at(-1)?.manifest).toMatchObject({
      kind: "Policy",
      spec: { subject: "app=nginx", egress: [{ to: ["bulkhead.dev/user=bob"] }] },
    });
  });

  it("are not what a container's runtime runs in a scope of its own", () => {
    const edges = [edge("host/runc-batch.scope", DB, "5432/tcp")];
    expect(left(edges)).toEqual([]);
    expect(isolated(edges)).toContain("default-deny-runc-batch: egress");
  });

  it("have no part in the rule of a service that needs the same", () => {
    const edges = [
      edge("host/upgrade.scope", DB, "5432/tcp"),
      edge("host/report.service", DB, "5432/tcp"),
      edge("host/nginx.service", DB, "5432/tcp"),
    ];
    expect(rulesOf(edges, KNOWN)).toEqual([
      "host/clients-to-postgresql-5432: host: app in (nginx,report) → host: app=postgresql 5432/tcp",
      "host/upgrade-to-postgresql: host: app=upgrade → host: app=postgresql 5432/tcp",
    ]);
    expect(isolated(edges)).toEqual([
      "default-deny-nginx: egress",
      "default-deny-postgresql: ingress",
      "default-deny-report: egress",
    ]);
  });

  it("ask a resolver of somebody's own beside its other clients", () => {
    const edges = ["host/upgrade.scope", "host/report.service"].map((from) =>
      edge(from, "dns", "53/udp"),
    );
    expect(suggest(edges, KNOWN).rules.map(({ name, only }) => [name, only])).toEqual([
      ["host-report-to-dns-udp-53", undefined],
      ["host-upgrade-to-dns-udp-53", "ingress"],
    ]);
  });

  it("are not the only ones whom a service hears that is isolated for them", () => {
    const edges = [
      edge("host/user-alice", DB, "5432/tcp"),
      edge("host", DB, "9187/tcp"),
      edge("host", "203.0.113.9", "443/tcp"),
    ];
    const { unattributed } = suggest(edges, KNOWN);
    expect(unattributed.map(({ port }) => port)).toEqual([9187]);
  });

  it("are let in also where the end of their one connection is told of nobody", () => {
    const begun = { connections: 1, established: 0, failed: 0, bytes: 0, packets: 0, windows: 1 };
    const edges = [edge("host/user-alice", DB, "5432/tcp", begun)];
    const ended = { connections: 0, established: 0, bytes: 557, packets: 10 };
    const told = (port: string) => [...edges, edge("host", DB, port, ended)];
    expect(left(edges)).toEqual([`pending host/user-alice ${DB} 5432`]);
    expect(left(told("5433/tcp"))).toEqual([`pending host/user-alice ${DB} 5432`]);
    expect(suggest(told("5432/tcp"), KNOWN).rules.map(({ name }) => name)).toEqual([
      "user-alice-to-postgresql-5432",
    ]);
  });

  it("who scan a service are let in nowhere by it", () => {
    const edges = Array.from({ length: 12 }, (_, at) =>
      edge("host/user-bob", "db", `${9000 + at}/tcp`, silent()),
    );
    expect(suggest(edges, KNOWN).rules).toEqual([]);
    expect(new Set(left(edges).map((line) => line.split(" ")[0]))).toEqual(new Set(["scan"]));
  });

  it("and servers for them are none that a container says to be, by its image", () => {
    const claimed = unit("gateway", { app: "sshd" });
    const edges = [edgeOf("host/gateway", "203.0.113.9", "443/tcp", {}, 4, [...ALL, claimed])];
    expect(isolated(edges, {}, inventoryOf([...ALL, claimed]))).toEqual([
      "default-deny-sshd: egress",
    ]);
  });

  it("are known by systemd's tree, and by no word of a pod or of a virtual machine", () => {
    const pod = unit("pod", { "bulkhead.dev/user": "root", app: "pod" }, "pod");
    const claims = [...ALL, { ...pod, addresses: ["10.0.0.99"] }];
    const known = inventoryOf(claims);
    const edges = [
      edgeOf("host/pod", "203.0.113.9", "443/tcp", {}, 4, claims),
      edge("host/guest.scope", "203.0.113.9", "443/tcp"),
    ];
    expect(isolated(edges, undefined, known)).toEqual([
      "default-deny-guest: egress",
      "default-deny-pod: egress",
    ]);
  });

  it("whom only a directory service knows are people too", () => {
    const labels = { "bulkhead.dev/unit": "user-5012.slice", "bulkhead.dev/slice": "user.slice" };
    const all = [...ALL, unit("user-5012.slice", labels)];
    const edges = [
      edgeOf("host/user-5012.slice", "203.0.113.9", "443/tcp", {}, 4, all),
      edgeOf("host/user-5012.slice", DB, "5432/tcp", {}, 4, all),
    ];
    const known = inventoryOf(all);
    expect(isolated(edges, undefined, known)).toEqual(["default-deny-postgresql: ingress"]);
    expect(rulesOf(edges, known)).toEqual([
      "host/user-5012-to-postgresql: host: !app,bulkhead.dev/unit=user-5012.slice → host: app=postgresql 5432/tcp",
    ]);
  });

  it("who have logged out are people still, and so in an export without an Inventory", () => {
    const edges = [edge("host/user-alice", "203.0.113.9", "443/tcp"), ...nginxOnly()];
    expect(left(edges, inventoryOf([]))).toEqual(["people host/user-alice world 443"]);
    expect(isolated(edges, undefined, inventoryOf([]))).toEqual(["default-deny-nginx: egress"]);
  });

  it("who log in rename nothing, also with the labels of a service", () => {
    const services = MACHINE.filter(({ labels }) => labels["bulkhead.dev/user"] === undefined);
    const before = suggest(nginxOnly(), inventoryOf(services)).rules;
    expect(suggest(nginxOnly(), KNOWN).rules).toEqual(before);
    const named = user("carol", 1002, { app: "nginx" });
    const { rules, isolations } = suggest(nginxOnly(), inventoryOf([...ALL, named]));
    expect(rules.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
    // She is not confined by what confines the service.
    const nginx = isolations.find(({ name }) => name === "default-deny-nginx");
    expect(nginx === undefined ? "" : formatSelector(nginx.selector)).toBe(
      "app=nginx,!bulkhead.dev/user",
    );
  });

  const nginxOnly = () => [edge("host/nginx.service", "203.0.113.80", "8080/tcp")];
});

describe("the machine's SSH server", () => {
  it("is confined in nothing that it calls either, whoever is included", () => {
    const edges = [edge("host/ssh.service", "203.0.113.9", "636/tcp")];
    expect(isolated(edges, { includePeople: true })).toEqual([]);
    expect(left(edges)).toEqual(["administration host/ssh.service world 636"]);
    const forwarded = [edge("host/ssh.service", DB, "5432/tcp")];
    expect(isolated(forwarded)).toEqual(["default-deny-postgresql: ingress"]);
  });
});
