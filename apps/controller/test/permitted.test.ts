/** What a plan says it newly permits, in names: a NetworkSet goes by its own, all else outside by its addresses. */
import { expect, it } from "vitest";
import { permittedDiff } from "../src/queries/permitted.ts";
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
  const { added, removed } = permittedDiff(before, after, world, NOW);
  expect(removed).toEqual([]);
  const back = permittedDiff(after, before, world, NOW);
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
