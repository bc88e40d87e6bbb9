import { suggest } from "@bulkhead/learn";
import { parseFiles } from "@bulkhead/dialects";
import type { Edge, Inventory, Workload } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { proposedIn, suggestionFiles, suggestionReport, suggestionText } from "../src/index.ts";

const workload = (name: string, over: Partial<Workload>): Workload => ({
  id: `vms/${name}`,
  namespace: "vms",
  name,
  kind: "vm",
  labels: {},
  addresses: [`10.1.0.${name.slice(1)}`],
  namedPorts: [],
  hostNetwork: false,
  ...over,
});
const source = { file: "estate.yaml", line: 12, column: 5 };
const inventory: Inventory = {
  workloads: [
    workload("h1", {}),
    workload("h2", { kind: "netns" }),
    workload("h3", { kind: "pod" }),
    workload("h4", { source }),
  ],
  namespaces: [],
  hostAddresses: [],
};
const end = (name: string) => ({
  address: `10.1.0.${name.slice(1)}`,
  workload: `vms/${name}`,
  name: `vms/${name}`,
  labels: {},
});
const edge = (from: string, to: string): Edge => ({
  source: end(from),
  destination: end(to),
  protocol: 6,
  port: 5432,
  verdict: "forwarded",
  connections: 40,
  established: 40,
  failed: 0,
  bytes: 80_000,
  packets: 400,
  firstSeen: 1000,
  lastSeen: 2000,
  windows: 30,
});
const suggestion = suggest([edge("h1", "h4"), edge("h2", "h4"), edge("h3", "h4")], inventory, {
  proposeLabels: true,
});

describe("proposed labels as text", () => {
  it("says for each workload how it comes by its label, and why", () => {
    const text = suggestionText(suggestion);
    expect(text.split("---")[0]).toBe(`\
# Least privilege for what was seen. Everything else is denied once this is enforced.
# 3 edges behind 1 rule; set aside, and not allowed: 0 edges, listed at the end.
# Slack: the rules permit 3 pairs of ends and port, all seen in use.
#
# Labels that the rules count on, and that nobody bears yet. Look at them first: labels decide policy.
#   vms/client-of-postgresql: 3 workloads, no label told what they are; calls postgresql on 5432/tcp (3 of 3)
#     vms/h1 bulkhead-role=client-of-postgresql (in the Inventory below)
#     bulkhead label vms/h2 bulkhead-role=client-of-postgresql
#     vms/h3 bulkhead-role=client-of-postgresql (in its template)
#   vms/postgresql: 1 workload, no label told what they are; called by client-of-postgresql on 5432/tcp
#     vms/h4 bulkhead-role=postgresql (in the file that declares it, estate.yaml:12:5)
`);
  });

  it("is read back from the file, for the names of roles in the next one", () => {
    const found = proposedIn(suggestionText(suggestion));
    expect([...found].map(([id, labels]) => [id, labels["bulkhead-role"]])).toEqual([
      ["vms/h1", "client-of-postgresql"],
      ["vms/h2", "client-of-postgresql"],
      ["vms/h3", "client-of-postgresql"],
      ["vms/h4", "postgresql"],
    ]);
    expect(proposedIn("# bulkhead label\n#     bulkhead label x/y\nname: a/b c=d\n").size).toBe(0);
  });

  it("stands in the file of whose workloads they are, and in the report", () => {
    const [file] = suggestionFiles(suggestion);
    expect(file?.text).toContain("#     bulkhead label vms/h2 bulkhead-role=client-of-postgresql");
    expect(suggestionReport(suggestion).proposedLabels).toMatchObject([
      { role: "client-of-postgresql", workloads: ["vms/h1", "vms/h2", "vms/h3"] },
      { role: "postgresql", workloads: ["vms/h4"] },
    ]);
  });

  it("declares machines that no agent sees, as a file that can be read", () => {
    const { diagnostics, resources } = parseFiles([
      { name: "suggested.yaml", text: suggestionText(suggestion) },
    ]);
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(resources.length).toBeGreaterThan(2);
  });
});
