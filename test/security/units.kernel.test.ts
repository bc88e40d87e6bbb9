/**
 * The machine's own services on a real kernel: found by their control groups, named by nothing that they say of themselves,
 * enforced, and not enforced where their sockets are judged as somebody else's. And what workloads send out under the
 * machine's address is judged before it gets that address.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ApiFailure,
  type ProbeResultView,
  type ProbeSummary,
  type WorkloadView,
} from "@bulkhead/api";
import { createCgroups, type TestCgroups } from "../../apps/agent/test/cgroups.ts";
import { TestLab, until } from "../../apps/controller/test/lab.ts";

const SERVICE = `
  const net = require("node:net");
  const [port, title] = process.argv.slice(1);
  if (title !== undefined) process.title = title;
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write(socket.remoteAddress));
  });
  console.log("here");
  process.on("SIGUSR1", () => net.connect(8099, process.argv.at(-1)).on("error", () => {}).write("x"));
  process.stdin.once("data", () => server.listen(Number(port), "::", () => console.log("ready")));`;

/** Nothing shorter tells a busy machine from a closed door. */
const PATIENT_MS = 20_000;

let lab: TestLab;
let groups: TestCgroups;
const children: ChildProcess[] = [];

/** Starts one in this group, and lets it listen there. */
async function service(unit: string, port: number, more: { title?: string; callee?: string } = {}) {
  const child = spawn(
    "nsenter",
    [
      `--net=${lab.netns("host")}`,
      process.execPath,
      "-e",
      SERVICE,
      String(port),
      ...(more.title === undefined ? [] : [more.title]),
      ...(more.callee === undefined ? [] : ["caller", more.callee]),
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  // In its namespace by now: who is elsewhere for a moment more is taken for somebody of elsewhere.
  await once(child.stdout, "data");
  groups.put(child.pid!, groups.add(unit));
  child.stdin.write("go\n");
  await once(child.stdout, "data");
  return child;
}

async function workload(id: string): Promise<WorkloadView | undefined> {
  const { workloads } = await lab.client.call("workloads", { running: "true" });
  return workloads.find((one) => one.id === id);
}

async function known(id: string, has: (one: WorkloadView) => boolean = () => true) {
  let found: WorkloadView | undefined;
  await until(
    async () => {
      found = await workload(id);
      return found !== undefined && has(found);
    },
    () => `${id} is not known so: ${JSON.stringify(found)}`,
    30_000,
  );
  return found!;
}

const policy = (unit: string, mode = "") => `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${unit.replace(".service", "")}, namespace: host }
spec: { ${mode} subject: bulkhead.dev/unit=${unit}, ingress: [{ from: [{ selector: app=web, namespace: shop }] }] }
`;
const apply = (text: string, more: { dryRun?: boolean } = {}) =>
  lab.client.call("apply", {
    files: [lab.inventory(), { name: "units.yaml", text }],
    mode: "enforce",
    author: "ada",
    reason: "test",
    ...more,
  });

beforeAll(async () => {
  lab = await TestLab.create();
  groups = createCgroups("bhs", ".slice");
  await service("front.service", 8080, { title: "sshd" });
  await service("other.service", 8090);
  await lab.up();
  await lab.client.call("apply", { files: [lab.inventory()], author: "ada", reason: "test" });
  await known(
    "host/front.service",
    ({ sockets }) => sockets?.some(({ port }) => port === 8080) === true,
  );
  await known(
    "host/other.service",
    ({ sockets }) => sockets?.some(({ port }) => port === 8090) === true,
  );
}, 120_000);
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await lab?.remove();
  groups?.close();
});

it("finds units, with who they are from the system alone", async () => {
  const front = await known("host/front.service", ({ running }) => running !== undefined);
  expect(front).toMatchObject({
    kind: "process",
    attached: true,
    idle: false,
    addresses: [],
    cgroup: `${groups.root}/front.service`,
    labels: {
      "bulkhead.dev/unit": "front.service",
      "bulkhead.dev/slice": groups.root.slice(1),
      app: "front",
    },
    running: { count: 1, users: ["root"], executable: { path: process.execPath } },
  });
  // It calls itself something else, and that is shown as what runs, nothing more.
  expect(front.running?.processes[0]?.name).toBe("sshd");
  expect(await workload("host/sshd")).toBe(undefined);
});

it("knows a unit that starts later, and goes on knowing it when it has ended", async () => {
  const late = await service("late.service", 8095);
  expect((await known("host/late.service")).attached).toBe(true);
  const ended = once(late, "exit");
  late.kill("SIGKILL");
  await ended;
  groups.remove(`${groups.root}/late.service`);
  await known("host/late.service", ({ attached }) => !attached);
});

describe("a label", () => {
  it("is a change like any other, and goes as it came", async () => {
    const before = await known("host/other.service");
    const change = { workload: "host/other.service", author: "ada" } as const;
    const tried = await lab.client.call("label", { ...change, set: { tier: "b" }, dryRun: true });
    expect(tried).toMatchObject({ dryRun: true, permitted: { added: [], removed: [] } });
    expect(await known("host/other.service")).toEqual(before);

    const { revision } = await lab.client.call("label", { ...change, set: { tier: "b" } });
    const labelled = await known("host/other.service", ({ labels }) => labels["tier"] === "b");
    expect(labelled.labels).toEqual({ ...before.labels, tier: "b" });
    const { revisions } = await lab.client.call("history", {});
    expect(revisions.find((one) => one.revision === revision)).toMatchObject({
      author: "ada",
      reason: "label host/other.service tier=b",
    });

    await lab.client.call("label", { ...change, remove: ["tier"] });
    const back = await known("host/other.service", ({ declared }) => !declared);
    expect(back.labels).toEqual(before.labels);
  });
});

describe("enforcement", () => {
  it("shuts a unit, and none beside it", async () => {
    await apply(policy("front.service"));
    expect((await known("host/front.service")).mode).toBe("enforce");
    expect(await lab.reach("web", "host", 8080, 4, PATIENT_MS)).toBe("connected");
    expect(await lab.reach("evil", "host", 8080)).toBe("blocked");
    expect(await lab.reach("evil", "host", 8090, 6, PATIENT_MS)).toBe("connected");
  });

  it("is proven in the units' own names, and leaves no trace of that in them", async () => {
    const before = await known("host/front.service", ({ running }) => running !== undefined);
    await apply(`${policy("front.service")}---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: other, namespace: host }
spec:
  subject: bulkhead.dev/unit=other.service
  egress:
    - { to: [{ selector: app=db, namespace: shop }], ports: [5432/tcp] }
    - { to: [{ selector: app=db, namespace: shop }], ports: [5353/udp] }
    - { action: deny, to: [{ selector: app=web, namespace: shop }], ports: [5354/udp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: late, namespace: host }
spec: { subject: bulkhead.dev/unit=late.service, egress: [{ to: [{ selector: app=db, namespace: shop }], ports: [5433/tcp] }] }
`);
    const results: ProbeResultView[] = [];
    let summary: ProbeSummary | undefined;
    for await (const event of lab.client.stream("probe", {})) {
      if (event.type === "result") results.push(event.result);
      if (event.type === "summary") summary = event.summary;
    }
    const said = results.map(
      ({ probe, outcome, detail }) =>
        `${probe.from} ${probe.to} ${probe.protocol}/${probe.port} ${probe.expected} ${outcome} ${detail}`,
    );
    expect(said.filter((one) => !one.includes(" passed "))).toEqual([]);
    expect(summary).toMatchObject({ proven: true });
    const outcomes = said.map((one) => one.split(" ").slice(0, 5).join(" "));
    expect(outcomes).toEqual(
      expect.arrayContaining([
        "shop/web host/front.service 6/8080 pass passed",
        "shop/evil host/front.service 6/8080 blocked passed",
        "host/other.service shop/db 6/5432 pass passed",
        "host/other.service shop/db 17/5353 pass passed",
        // The sender is told at once.
        "host/other.service shop/web 17/5354 blocked passed",
        "host/other.service host/front.service 6/8080 blocked passed",
        // Does not run, but its control group is kept for it.
        "host/late.service shop/db 6/5433 pass passed",
      ]),
    );
    const after = await known("host/front.service", ({ running }) => running !== undefined);
    expect({ ...after, running: after.running?.count }).toEqual({
      ...before,
      running: before.running?.count,
    });
    const { edges } = await lab.client.call("edges", {
      from: ["host/other.service"],
      probes: false,
    });
    expect(edges).toEqual([]);
    await apply(policy("front.service"));
  });

  it("tells which capabilities of an enforced unit reach past its policy", async () => {
    await known("host/front.service", ({ capabilities = [] }) => capabilities.length > 0);
    const { notices } = await lab.client.call("status", {});
    expect(notices).toContainEqual(
      expect.stringMatching(/host\/front.service (has processes with |\()[^)]*CAP_NET_RAW/),
    );
  });

  it("is refused where sockets were made in another control group, until that is said to be known", async () => {
    const moving = await service("origin.service", 8096);
    await known("host/origin.service");
    groups.put(moving.pid!, groups.add("wanderer.service"));
    const wanderer = await known(
      "host/wanderer.service",
      ({ borrowed = [] }) => borrowed.length > 0,
    );
    expect(wanderer.borrowed).toEqual([
      { maker: "host/origin.service", how: "moved", ports: [{ protocol: 6, port: 8096 }] },
    ]);
    const refused = await apply(policy("wanderer.service"), { dryRun: true }).catch(
      (error: unknown) => error,
    );
    expect(refused).toBeInstanceOf(ApiFailure);
    expect((refused as ApiFailure).diagnostics).toMatchObject([
      { code: "BH0605", span: { file: "units.yaml" }, help: expect.stringContaining("restart") },
    ]);
    const accepted = `${policy("wanderer.service")}---
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: known, namespace: host }
spec: { workloads: [{ name: wanderer.service, unit: ${groups.root}/wanderer.service, borrowedSockets: accepted }] }
`;
    expect((await apply(accepted, { dryRun: true })).dryRun).toBe(true);
  });
});

it("judges what workloads send out under the machine's address before it has that address", async () => {
  // A neighbour outside; whatever leaves for it is masqueraded.
  await lab.sh(
    "host",
    `ip link add v-out type veth peer name eth1 netns ${lab.prefix}-db
     ip addr add 198.51.100.1/24 dev v-out; ip link set v-out up
     nft add table ip bhmasq
     nft 'add chain ip bhmasq post { type nat hook postrouting priority 100; }'
     nft add rule ip bhmasq post oifname v-out masquerade
     for one in web evil; do nsenter --net=/run/netns/${lab.prefix}-$one ip route add 198.51.100.0/24 via 10.9.0.1; done`,
  );
  await lab.sh("db", "ip addr add 198.51.100.2/24 dev eth1; ip link set eth1 up");
  await lab.serve("db", [8099]);
  const reach = (from: "web" | "evil", waitMs = PATIENT_MS) =>
    lab.sh(
      from,
      `${process.execPath} -e '
    const socket = require("node:net").connect(8099, "198.51.100.2");
    const end = (word) => { console.log(word); process.exit(0); };
    socket.on("connect", () => end("connected")); socket.on("error", () => end("refused"));
    setTimeout(() => end("blocked"), ${waitMs});'`,
    );
  expect(await reach("evil")).toBe("connected\n");
  await apply(`apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: out, namespace: shop }
spec: { subject: app=evil, egress: [{ to: [{ cidr: 10.9.0.0/24 }] }] }
`);
  expect(await reach("evil", 1500)).toBe("blocked\n");
  expect(await reach("web")).toBe("connected\n");
  expect(await lab.sh("host", "conntrack -L 2>/dev/null || cat /proc/net/nf_conntrack")).toMatch(
    /src=10\.9\.0\.10 dst=198\.51\.100\.2 .*dst=198\.51\.100\.1 /,
  );
});

it("names who of the machine opened a connection, by the group of its socket", async () => {
  const caller = await service("caller.service", 8097, { callee: lab.address("web") });
  await lab.serve("web", [8099]);
  await known("host/caller.service");
  let found: readonly string[] = [];
  await until(async () => {
    // Where nobody was told of one, another is.
    caller.kill("SIGUSR1");
    const { edges } = await lab.client.call("edges", { from: ["host/caller.service"] });
    found = edges.map(({ destination, port }) => `${destination.name} ${port}`);
    return found.length > 0;
  }, "the unit is not at the beginning of its flow");
  expect(found).toEqual(["shop/web 8099"]);
});

it("names both ends of flows, and the reference agrees with the kernel about them", async () => {
  await until(async () => {
    const { edges } = await lab.client.call("edges", { to: ["host/front.service"] });
    const seen = edges.map(({ source, verdict }) => `${source.name} ${verdict}`);
    return seen.includes("shop/web forwarded") && seen.includes("shop/evil dropped");
  }, "the unit is not at the end of its flows");
  const { alarms } = await lab.client.call("status", {});
  expect(alarms.filter(({ kind }) => kind === "verdict")).toEqual([]);
});
