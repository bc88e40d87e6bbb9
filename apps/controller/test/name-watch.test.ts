/** DNS may give other addresses for a name any day: what is in force is told when it lacks them. */
import { expect, it } from "vitest";
import type { Flow } from "@bulkhead/model";
import { createNameWatch } from "../src/flows/name-watch.ts";
import { domainSetsOf, saidRanges } from "../src/policy/domain-sets.ts";
import { mergeGiven, readGiven } from "../src/policy/candidate.ts";

const SET = (cidrs: string, name = "api.example.com"): string => `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata:
  name: ${name}
  namespace: shop
  annotations: { bulkhead.dev/dns-name: api.example.com }
spec: { cidrs: [${cidrs}] }
`;

const heldOf = (given: ReturnType<typeof readGiven>) =>
  mergeGiven([], given, { mode: "enforce", prune: false }).held;

function setsOf(text: string) {
  const given = readGiven([{ name: "policy.yaml", text }]);
  expect(given.diagnostics).toEqual([]);
  return domainSetsOf(heldOf(given));
}

function flowTo(address: string, workload = "shop/web", names = ["api.example.com"]): Flow {
  return {
    source: { address: "10.0.0.1", workload, name: workload, labels: {} },
    destination: { address, name: "world", labels: {}, names },
    start: 1,
    end: 2,
    protocol: 6,
    port: 443,
    sourcePort: 0,
    verdict: "dropped",
    connections: 1,
    established: 0,
    failed: 1,
    bytes: 0,
    packets: 1,
  };
}

it("takes a prefix for what a person said, and a single address for what was proposed", () => {
  const said = (cidr: string) =>
    saidRanges(heldOf(readGiven([{ name: "policy.yaml", text: SET(cidr) }])));
  expect(said("203.0.113.0/24")).toEqual(["203.0.113.0/24"]);
  expect(said("203.0.113.1/32")).toEqual([]);
});

it("tells of addresses that a set lacks, until it has them", () => {
  const watch = createNameWatch();
  watch.adopt(setsOf(SET("203.0.113.1/32")));
  watch.see([flowTo("203.0.113.1")]);
  expect(watch.notices()).toEqual([]);
  watch.see([
    flowTo("203.0.113.2"),
    flowTo("203.0.113.2"),
    flowTo("203.0.113.3"),
    flowTo("203.0.113.4"),
  ]);
  expect(watch.notices()).toEqual([
    "`api.example.com` stands for 203.0.113.2, 203.0.113.3 and 1 more too, which `NetworkSet/shop/api.example.com` does not hold: rules that name the set do not allow them; `bulkhead suggest` proposes them",
  ]);
  watch.adopt(setsOf(SET("203.0.113.0/30")));
  expect(watch.notices()[0]).toContain("stands for 203.0.113.4 too");
  watch.adopt(setsOf(SET("203.0.113.0/24")));
  expect(watch.notices()).toEqual([]);
});

it("says nothing of other names, other namespaces, or sets that stand for no name", () => {
  const watch = createNameWatch();
  watch.adopt(setsOf(SET("203.0.113.1/32")));
  watch.see([
    flowTo("203.0.113.9", "shop/web", ["www.example.com"]),
    flowTo("203.0.113.9", "ops/web"),
  ]);
  expect(watch.notices()).toEqual([]);
  expect(setsOf(SET("203.0.113.1/32").replace(/ {2}annotations.*\n/, ""))).toEqual([]);
});
