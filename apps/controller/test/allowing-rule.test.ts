import { expect, it } from "vitest";
import type { Edge } from "@bulkhead/model";
import { withAllowingRule } from "../src/queries/allowing-rule.ts";
import { shop } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

const { reading, world } = shop([POLICY]);
const inForce = { set: reading.set, index: world.index, since: 1000, held: 1200, now: 9000 };
const edge = (source: string, more: Partial<Edge> = {}): Edge => ({
  source: { address: source, name: source, labels: {} },
  destination: { address: "10.9.0.11", name: "shop/db", labels: {} },
  protocol: 6,
  port: 5432,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: 500,
  lastSeen: 2000,
  windows: 1,
  ...more,
});
const ruleOf = (seen: Edge) => withAllowingRule(seen, seen.lastSeen, inForce).rule;

it("is the reference's, at the destination where it has one", () => {
  expect(ruleOf(edge("10.9.0.10"))).toBe("Intent/shop/web-db#ingress/allow");
});

it("is not made up for what was seen before, denied, or allowed by no rule", () => {
  expect(ruleOf(edge("10.9.0.10", { lastSeen: 999 }))).toBeUndefined();
  expect(ruleOf(edge("10.9.0.12", { verdict: "dropped" }))).toBeUndefined();
  expect(ruleOf(edge("10.9.0.12"))).toBeUndefined();
  expect(ruleOf(edge("10.9.0.10", { port: 22 }))).toBeUndefined();
});

it("is what has cut it, while the last news is of before and after together", () => {
  const cutBy = (seen: Edge, set = inForce) => withAllowingRule(seen, seen.lastSeen, set).cutBy;
  expect(cutBy(edge("10.9.0.12"))).toBe("Policy/shop/shut#egress");
  expect(cutBy(edge("10.9.0.10", { port: 22 }))).toBe("Intent/shop/web-db#egress");
  expect(cutBy(edge("10.9.0.10"))).toBeUndefined();
  expect(cutBy(edge("10.9.0.12", { lastSeen: 999 }))).toBeUndefined();
  expect(cutBy(edge("10.9.0.12", { verdict: "dropped" }))).toBeUndefined();
  expect(cutBy(edge("10.9.0.12", { lastSeen: 4199 }))).toBe("Policy/shop/shut#egress");
  // What is forwarded long after is no news of before.
  expect(cutBy(edge("10.9.0.12", { lastSeen: 4200 }))).toBeUndefined();
});

it("leaves a rule that the kernel named", () => {
  expect(ruleOf(edge("10.9.0.10", { rule: "x" }))).toBe("x");
});
