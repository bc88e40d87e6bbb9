import { parseFiles } from "@bulkhead/dialects";
import { suggest } from "@bulkhead/learn";
import { TCP, type Edge, type FlowEnd, type Inventory, type Workload } from "@bulkhead/model";
import { expect, it } from "vitest";
import { suggestionReport, suggestionText } from "../src/index.ts";

const at = Date.UTC(2026, 2, 31, 17, 0, 0);

function workload(name: string, host: number, app: string): Workload {
  return {
    id: `shop/${name}`,
    namespace: "shop",
    name,
    kind: "netns",
    labels: { app },
    addresses: [`10.0.0.${host}`],
    namedPorts: [],
    hostNetwork: false,
  };
}

const workloads = [
  workload("web-1", 1, "web"),
  workload("web-2", 2, "web"),
  workload("db", 3, "db"),
  workload("report", 4, "report"),
  workload("intruder", 66, "intruder"),
];
const inventory: Inventory = { workloads, namespaces: [], hostAddresses: [] };

function end(name: string): FlowEnd {
  const one = workloads.find((candidate) => candidate.name === name);
  if (one === undefined) return { address: name, name: "world", labels: {} };
  return { address: one.addresses[0] ?? "", workload: one.id, name: one.id, labels: one.labels };
}

function edge(from: string, to: string, port: number, windows: number, answered = true): Edge {
  return {
    source: end(from),
    destination: end(to),
    protocol: TCP,
    port,
    verdict: "forwarded",
    connections: windows,
    established: answered ? windows : 0,
    failed: answered ? 0 : windows,
    bytes: windows * (answered ? 1500 : 60),
    packets: windows * (answered ? 8 : 1),
    firstSeen: at,
    lastSeen: at + windows * 1000,
    windows,
  };
}

const seen = [
  edge("web-1", "db", 5432, 30),
  edge("web-2", "db", 5432, 20),
  edge("report", "db", 5432, 2),
  edge("web-1", "203.0.113.20", 8443, 12),
  edge("web-2", "report", 8080, 1, false),
  ...Array.from({ length: 12 }, (_, port) => edge("intruder", "db", port + 1, 1, false)),
  edge("intruder", "db", 5432, 1),
];

it("writes the shop's suggestion as it always did", async () => {
  const text = suggestionText(suggest(seen, inventory));
  await expect(text).toMatchFileSnapshot("golden/suggestion.yaml");
});

it("says of each rule what none of our own collectors saw", () => {
  const origin = { format: "aws-vpc", sampling: 1, aggregation: 0, direction: "told" } as const;
  const imported = seen.map((one) =>
    one.source.name === "shop/web-1" ? { ...one, origins: [origin] } : one,
  );
  const { rules } = suggestionReport(suggest(imported, inventory));
  expect(Object.fromEntries(rules.map(({ rule, imported: told }) => [rule, told]))).toEqual({
    "report → db": undefined,
    "web → db": "1 of 2 edges seen by import of aws-vpc only",
    "web → shop/outside-of-web-8443": "seen by import of aws-vpc only",
  });
  expect(suggestionText(suggest(imported, inventory))).toContain(
    "; seen by import of aws-vpc only",
  );
});

it("writes of people what they did, and of whom they use at that end alone", async () => {
  const process = (name: string, labels: Workload["labels"]): Workload => ({
    ...workload(name, 0, ""),
    id: `host/${name}`,
    namespace: "host",
    kind: "process",
    labels: { "bulkhead.dev/unit": name, ...labels },
    addresses: [],
  });
  const ann = process("user-1000.slice", { "bulkhead.dev/user": "ann" });
  const bob = process("user-1001.slice", { "bulkhead.dev/user": "bob" });
  const cron = process("cron.service", { app: "cron" });
  const redis = process("redis.service", { app: "redis" });
  const all = [ann, bob, cron, redis];
  const ends = ({ id, labels }: Workload) => ({
    address: "10.0.0.9",
    workload: id,
    name: id,
    labels,
  });
  const calls = (from: Workload, to: FlowEnd): Edge => ({
    ...edge("web-1", "db", 6379, 9),
    source: ends(from),
    destination: to,
  });
  const edges = [
    ...[ann, bob, cron].map((who) => calls(who, ends(redis))),
    calls(ann, end("203.0.113.9")),
    calls(ann, end("203.0.113.10")),
  ];
  const text = suggestionText(suggest(edges, { ...inventory, workloads: all }));
  await expect(text).toMatchFileSnapshot("golden/suggestion-people.yaml");
  expect(parseFiles([{ name: "people.yaml", text }]).diagnostics).toEqual([]);
});

it("can be read back whole", () => {
  const { resources, diagnostics } = parseFiles([
    { name: "suggestion.yaml", text: suggestionText(suggest(seen, inventory)) },
  ]);
  expect(diagnostics).toEqual([]);
  expect(resources).toHaveLength(5);
});

it("reports a line a rule, the file, and what was set aside", () => {
  const report = suggestionReport(suggest(seen, inventory));
  expect(
    report.rules.map(({ resource, rule, ports, rare }) => [resource, rule, ports, rare]),
  ).toEqual([
    ["Intent/shop/web-to-db", "web → db", "5432/tcp", false],
    ["Intent/shop/web-to-world-8443", "web → shop/outside-of-web-8443", "8443/tcp", false],
    ["Intent/shop/report-to-db-5432", "report → db", "5432/tcp", true],
  ]);
  expect(report.files).toHaveLength(1);
  expect(report.setAside).toHaveLength(14);
  expect(report.edges).toBe(4);
});

it("keeps names with line breaks inside their comment", () => {
  const evil: Edge = {
    ...edge("web-1", "db", 80, 20),
    destination: { ...end("db"), name: "db\nkind: Policy" },
  };
  const text = suggestionText(suggest([evil], inventory));
  expect(text).not.toMatch(/^kind: Policy$[\s\S]*^kind: Policy$/m);
  expect(text).toContain("db�kind: Policy");
});

it("says so when there is nothing to suggest", () => {
  const text = suggestionText(suggest([], inventory));
  expect(text).toContain("0 edges behind 0 rules");
  expect(parseFiles([{ name: "empty.yaml", text }])).toMatchObject({ resources: [] });
});
