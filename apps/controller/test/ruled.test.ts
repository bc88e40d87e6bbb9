/** Which rules in force are a person's word on an edge. */
import type { Edge } from "@bulkhead/model";
import { expect, it } from "vitest";
import { ruledBy } from "../src/queries/ruled.ts";
import { NOW, shop } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

const DENIED = {
  name: "denied.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: no-ssh, namespace: shop }
spec: { subject: app=db, ingress: [{ from: [app=evil], action: deny, ports: [22/tcp] }] }
`,
};
const edge = (source: string, port: number): Edge => ({
  source: { address: source, name: source, labels: {} },
  destination: { address: "10.9.0.11", name: "shop/db", labels: {} },
  protocol: 6,
  port,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: 500,
  lastSeen: 2000,
  windows: 1,
});

it.each(["enforce", "audit"] as const)(
  "a rule applied in %s is, and a lack of rules is not",
  (mode) => {
    const { reading, world } = shop([POLICY, DENIED], mode);
    const ruled = ruledBy(reading.set, world.index, NOW);
    expect(ruled(edge("10.9.0.10", 5432))).toBe("allow");
    expect(ruled(edge("10.9.0.12", 22))).toBe("deny");
    expect(ruled(edge("10.9.0.12", 5432))).toBeUndefined();
    expect(ruled(edge("10.9.0.10", 80))).toBeUndefined();
  },
);

it("nobody has said anything where no policy is in force", () => {
  const { reading, world } = shop([]);
  expect(ruledBy(reading.set, world.index, NOW)(edge("10.9.0.10", 5432))).toBeUndefined();
});
