/** The truth as pairs of instances, and what counts as having seen an edge. */
import { expect, test } from "vitest";
import type { Attempt } from "@bulkhead/example-shop/attempts";
import { pairsReached, spreadFrom } from "../reach.ts";
import { edgesSeen, readTruth, truePairs, type TrueEdge } from "../truth.ts";

const toCheckout: TrueEdge = {
  from: "storefront",
  to: "checkout",
  port: "8081/tcp",
  why: "orders",
  rare: false,
};

test("an edge between apps is one between all their instances", () => {
  expect([...truePairs([toCheckout])]).toEqual([
    "storefront-1 → checkout 8081/tcp",
    "storefront-2 → checkout 8081/tcp",
  ]);
});

test("an edge counts as seen when one instance was", () => {
  expect(edgesSeen([toCheckout], new Set(["storefront-2 → checkout 8081/tcp"]))).toEqual([
    toCheckout,
  ]);
  expect(edgesSeen([toCheckout], new Set(["storefront-2 → checkout 9100/tcp"]))).toEqual([]);
});

test("the file reads, and world edges name the server", () => {
  expect(truePairs(readTruth())).toContain("checkout → payments.example 8443/tcp");
});

test("blast radius counts (workload, port) pairs, however they were reached", () => {
  const base = { name: "db", address: "10.77.0.14", port: 5432, outcome: "", ms: 1 } as const;
  const attempts: readonly Attempt[] = [
    { ...base, route: "ipv4", means: "tcp", reached: true },
    { ...base, route: "ipv6", means: "sql", reached: true },
    { ...base, route: "ipv4", means: "icmp", port: 0, reached: true },
    { ...base, route: "ipv4", means: "tcp", port: 22, reached: false },
  ];
  expect([...pairsReached(attempts)]).toEqual(["db 5432/tcp", "db icmp"]);
});

test("what falls hop by hop includes what the fallen reach, and ends in a cycle", () => {
  const edges = new Map([
    ["web", [{ to: "storefront", port: "8080/tcp" }]],
    [
      "storefront",
      [
        { to: "db", port: "5432/tcp" },
        { to: "web", port: "80/tcp" },
      ],
    ],
    ["intruder", []],
  ]);
  expect([...spreadFrom("web", edges)]).toEqual(["storefront 8080/tcp", "db 5432/tcp"]);
  expect(spreadFrom("intruder", edges).size).toBe(0);
});
