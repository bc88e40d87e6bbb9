/** What a plan says it newly permits, in names: a NetworkSet goes by its own, all else outside by its addresses. */
import { describe, expect, it } from "vitest";
import type { Edge } from "@bulkhead/model";
import { permittedDiff } from "../src/queries/permitted.ts";
import { replayAnswer } from "../src/queries/replay.ts";
import { buildWorld } from "../src/world/world.ts";
import { INVENTORY, NOW, reading, SHOP } from "./fixtures.ts";

const shut = {
  name: "shut.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut-web, namespace: shop }
spec: { subject: app=web, egress: [], ingress: [] }
---
apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: bank, namespace: shop }
spec: { cidrs: [203.0.113.20/32, "2001:db8:113::20/128"] }
---
apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: office, namespace: shop }
spec: { cidrs: [192.0.2.0/25, 198.51.100.0/24] }
`,
};

const opening = (...peers: readonly string[]) => ({
  name: "open.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: out, namespace: shop }
spec: { subject: app=web, egress: [{ to: [${peers.join(", ")}], ports: [443/tcp] }] }
`,
});

function toOf(...peers: readonly string[]): readonly string[] {
  const before = reading([INVENTORY, shut], "enforce");
  const after = reading([INVENTORY, shut, opening(...peers)], "enforce");
  const world = buildWorld(after.declared, SHOP);
  const { added, removed } = permittedDiff(before, after, { was: world, world }, NOW);
  expect(removed).toEqual([]);
  const back = permittedDiff(after, before, { was: world, world }, NOW);
  expect(back).toEqual({ added: [], removed: added });
  return [...new Set(added.map(({ to }) => to))].toSorted();
}

it("names a NetworkSet once for all of its prefixes", () => {
  expect(toOf("{ networkSet: bank }")).toEqual(["shop/bank"]);
  expect(toOf("{ networkSet: office }")).toEqual(["shop/office"]);
});

it("names what is known beside what is not", () => {
  expect(toOf("{ networkSet: office }", "{ cidr: 203.0.113.77/32 }")).toEqual([
    "world (shop/office, 203.0.113.77/32)",
  ]);
});

it("leaves addresses that are only part of a set, or more than it, as they are", () => {
  expect(toOf("{ cidr: 198.51.100.0/25 }")).toEqual(["world (198.51.100.0/25)"]);
});

describe("an Inventory in the change", () => {
  const policy = {
    name: "policy.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: "", ingress: [], egress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-db, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5432/tcp] }
`,
  };
  const inventory = (text: string) => ({ name: "inventory.yaml", text });
  const before = reading([INVENTORY, policy], "enforce");
  const was = buildWorld(before.declared, SHOP);
  const edge: Edge = {
    source: {
      address: "10.9.0.10",
      workload: "shop/web",
      name: "shop/web",
      labels: { app: "web" },
    },
    destination: {
      address: "10.9.0.11",
      workload: "shop/db",
      name: "shop/db",
      labels: { app: "db" },
    },
    protocol: 6,
    port: 5432,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 1,
    packets: 1,
    firstSeen: 1,
    lastSeen: 2,
    windows: 1,
  };
  const changedTo = async (text: string) => {
    const after = reading([inventory(text), policy], "enforce");
    const world = buildWorld(after.declared, SHOP);
    const { newlyDenied, newlyAllowed } = await replayAnswer({
      edges: [[edge]],
      samples: async () => [],
      before: before.set,
      after: after.set,
      was,
      world,
      now: NOW,
      revision: 1,
      diagnostics: [],
    });
    const ends = newlyDenied.map(({ edge: { source, destination } }) => [
      source.name,
      destination.name,
    ]);
    return {
      ...permittedDiff(before, after, { was, world }, NOW),
      newlyDenied: ends,
      newlyAllowed,
    };
  };
  const cut = (from: string, to: string) => ({
    added: [],
    removed: [{ from, to, ports: "5432/tcp" }],
    newlyDenied: [[from, to]],
    newlyAllowed: [],
  });

  it("takes away what a mistyped label takes away", async () => {
    expect(await changedTo(INVENTORY.text.replace("{ app: db }", "{ app: dbx }"))).toEqual(
      cut("shop/web", "shop/db"),
    );
  });

  it("follows who is called otherwise, and changes nothing by the name alone", async () => {
    const renamed = INVENTORY.text.replace("{ name: web,", "{ name: front,");
    expect(await changedTo(renamed)).toEqual({
      added: [],
      removed: [],
      newlyDenied: [],
      newlyAllowed: [],
    });
    const mislabelled = renamed.replace("labels: { app: web }", "labels: { app: wbe }");
    expect(await changedTo(mislabelled)).toEqual(cut("shop/front", "shop/db"));
  });

  it("knows two apart that exchange their names", async () => {
    const exchanged = INVENTORY.text
      .replace("netns: web", "netns: other")
      .replace("netns: evil", "netns: web")
      .replace("netns: other", "netns: evil");
    expect(await changedTo(exchanged)).toEqual({
      added: [{ from: "shop/web", to: "shop/db", ports: "5432/tcp" }],
      removed: [{ from: "shop/evil", to: "shop/db", ports: "5432/tcp" }],
      newlyDenied: [["shop/evil", "shop/db"]],
      newlyAllowed: [],
    });
  });

  it("tells what becomes open when everybody is left without labels and namespace", async () => {
    const { added, removed, newlyDenied } = await changedTo(
      INVENTORY.text.replaceAll(/ {4}- .*\n/gu, "").replace("workloads:", "workloads: []"),
    );
    expect(removed).toEqual([]);
    expect(added).not.toEqual([]);
    expect(newlyDenied).toEqual([]);
  });
});
