/** A suggestion in other words: where its evidence goes, over whom it is proved, and with which labels. */
import { findTarget } from "@bulkhead/dialects";
import { suggest } from "@bulkhead/learn";
import { DEFAULT_PROFILE, type Edge, type Inventory, type Workload } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { suggestionIn } from "../../src/desk/index.ts";
import { suggestionReport } from "../../src/index.ts";

const workload = (namespace: string, name: string, last: number, labels = {}): Workload => ({
  id: `${namespace}/${name}`,
  namespace,
  name,
  kind: "vm",
  labels,
  addresses: [`10.1.0.${last}`],
  namedPorts: [],
  hostNetwork: false,
});
const edge = (source: Workload | string, destination: Workload | string, port: number): Edge => {
  const end = (one: Workload | string) =>
    typeof one === "string"
      ? { address: one, name: "world", labels: {} }
      : { address: one.addresses[0]!, workload: one.id, name: one.id, labels: one.labels };
  return {
    source: end(source),
    destination: end(destination),
    protocol: 6,
    port,
    verdict: "forwarded",
    connections: 40,
    established: 40,
    failed: 0,
    bytes: 80_000,
    packets: 400,
    firstSeen: 1000,
    lastSeen: 2000,
    windows: 30,
  };
};
const target = (name: string) => findTarget(name)!;
const given = (
  workloads: readonly Workload[],
  edges: readonly Edge[],
  { proposeLabels = false, alive = workloads } = {},
) => {
  const inventory: Inventory = { workloads, namespaces: [], hostAddresses: [] };
  const report = suggestionReport(suggest(edges, inventory, { proposeLabels }));
  const everybody = { ...inventory, workloads: alive, profile: DEFAULT_PROFILE };
  return (to: string) => suggestionIn(report, everybody, target(to), { now: 3000 });
};

const web = workload("shop", "web", 1, { app: "web" });
const db = workload("shop", "db", 2, { app: "db" });
const till = workload("shop", "till", 3, { app: "till", "app.kubernetes.io/part-of": "till" });

describe("a suggestion in another dialect", () => {
  it("has its evidence above both halves of a rule, and what has no object of its own at the top", () => {
    const { written } = given(
      [web, db],
      [edge(web, db, 5432), edge(web, "203.0.113.7", 443)],
    )("np");
    const documents = written!.text.split("---\n");
    expect(documents).toHaveLength(5);
    expect(documents[0]).toContain("# NetworkSet/shop/");
    expect(documents.slice(1).every((text) => text.startsWith("# "))).toBe(true);
    const halves = documents.filter((text) => text.includes("\n  name: web-to-db"));
    expect(halves).toHaveLength(2);
    expect(halves.every((text) => text.startsWith("# Seen: 40 connections"))).toBe(true);
  });

  it("is for each application a file, with what is its", () => {
    const { written } = given([web, db, till], [edge(web, db, 5432), edge(db, till, 80)])("cilium");
    const files = new Map(written!.perApplication.map(({ name, text }) => [name, text]));
    expect([...files.keys()].toSorted()).toEqual(["shop.till.yaml", "shop.yaml"]);
    expect(files.get("shop.till.yaml")).toContain("name: db-to-till");
    expect(files.get("shop.till.yaml")).not.toContain("web-to-db");
    expect(files.get("shop.yaml")).toContain("name: default-deny");
  });

  it("is proved with labels that are only proposed, and says them, but writes no Inventory", () => {
    const bare = [1, 2, 3].map((last) => workload("vms", `h${last}`, last));
    const [h1, h2, h3] = bare as [Workload, Workload, Workload];
    const { conversion, written } = given(bare, [edge(h1, h3, 5432), edge(h2, h3, 5432)], {
      proposeLabels: true,
    })("calico");
    expect(conversion.proof).toMatchObject({ answer: "yes" });
    expect(conversion.usesStandIns).toBe(false);
    expect(conversion.desk.workloads.get("vms/h3")?.labels).toHaveProperty("bulkhead-role");
    expect(written!.text).toContain("# Labels that the rules count on, and that nobody bears yet.");
    expect(written!.text).toContain("#     vms/h1 bulkhead-role=");
    expect(written!.text).not.toContain("kind: Inventory");
    expect(written!.text).toMatch(/selector: bulkhead-role == '/);
  });

  it("takes a prefix for one outside only where nobody of the inventory lives in it", () => {
    const living = workload("shop", "tool", 9, { app: "tool" });
    const seen = [edge(web, db, 5432), edge(web, "203.0.113.7", 443)];
    const beside = (one: Workload) => given([web, db], seen, { alive: [web, db, one] });
    expect(beside(living)("cilium").written).toBeDefined();
    const moved = { ...living, addresses: ["203.0.113.7"] };
    const refused = beside(moved)("cilium");
    expect(refused.written).toBeUndefined();
    expect(refused.conversion.written.diagnostics.map(({ message }) => message)).toEqual([
      "this prefix holds pods and nodes, which Cilium cannot say",
    ]);
    // Calico's prefixes do hold them.
    expect(beside(moved)("calico").written).toBeDefined();
  });

  it("knows the sets that are in force, and of them alone", () => {
    const rule = `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-to-pay, namespace: shop }
spec: { from: app=web, to: { networkSet: pay }, ports: [443/tcp] }
`;
    const set = (cidr: string) => `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: pay, namespace: shop }
spec: { cidrs: [${cidr}] }
`;
    const held = (name: string, text: string, ...resources: string[]) => ({
      name,
      text,
      resources: resources.map((one) => ({ name: one })),
    });
    const written = (...texts: readonly string[]) =>
      suggestionIn(
        { files: texts.map((text) => ({ text })), rules: [] },
        { workloads: [web, db], namespaces: [], hostAddresses: [], profile: DEFAULT_PROFILE },
        target("cilium"),
        {
          now: 3000,
          inForce: [
            held("old.yaml", set("192.0.2.1/32")),
            held("sets.yaml", `${set("203.0.113.7/32")}---\n${rule}`, "NetworkSet/shop/pay"),
          ],
        },
      ).written?.text;
    expect(written(rule)).toContain("203.0.113.7/32");
    expect(written(rule)).not.toContain("192.0.2.1");
    const anew = written(rule, set("198.51.100.9/32"));
    expect(anew).toContain("198.51.100.9/32");
    expect(anew).not.toContain("203.0.113.7");
  });

  it("is not written where its text cannot be read", () => {
    const { conversion, written } = suggestionIn(
      { files: [{ text: "kind: Nonsense\n" }], rules: [] },
      { workloads: [web], namespaces: [], hostAddresses: [], profile: DEFAULT_PROFILE },
      target("calico"),
      { now: 3000 },
    );
    expect(written).toBeUndefined();
    expect(conversion.desk.diagnostics.some(({ severity }) => severity === "error")).toBe(true);
  });
});
