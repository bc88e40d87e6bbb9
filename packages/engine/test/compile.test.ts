/** The compiled maps say what the reference says: for every flow, in both views, now and at every expiry ahead. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ICMP, SCTP, TCP, UDP, type DirectionDecision, type FlowQuery } from "@bulkhead/model";
import { compile, decide, indexInventory, lookup } from "../src/index.ts";
import { agrees, DIRECTIONS, looked, reported } from "./agreement.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  ADDRESSES,
  aimed,
  contestedWorldArbitrary,
  flowArbitrary,
  flowsArbitrary,
  MOMENTS,
  NOW,
  worldArbitrary,
  type World,
} from "./worlds.ts";

const VIEWS = ["live", "shadow"] as const;

function compiled(world: World) {
  const options = { now: NOW, revision: 1, endpoints: world.endpoints };
  const result = compile(world.set, world.inventory, options);
  return { ...result, index: indexInventory(world.inventory) };
}

function localEnds(world: World, flow: FlowQuery) {
  const local = new Set(world.endpoints.flatMap(({ addresses }) => addresses));
  return { egress: local.has(flow.source), ingress: local.has(flow.destination) };
}

/** Every cell of decision space that exists. */
const CELLS = [
  "ingress exemption node allow",
  ...DIRECTIONS.flatMap((direction) => [
    ...["firstMatch", "denyOverrides"].flatMap((mode) =>
      ["allow", "drop", "reject"].map((verdict) => `${direction} rule ${mode} ${verdict}`),
    ),
    `${direction} rule anyAllow allow`,
    ...["firstMatch", "anyAllow", "denyOverrides"].map(
      (mode) => `${direction} isolation ${mode} drop`,
    ),
    `${direction} default end allow`,
    `${direction} default end drop`,
    `${direction} exemption hairpin allow`,
  ]),
];

function count(reached: Map<string, number>, world: World, decision: DirectionDecision) {
  const by = decision.determinedBy;
  const where =
    by.kind === "rule" || by.kind === "isolation"
      ? world.set.stages.find(({ id }) => id === by.stage)!.mode
      : by.kind === "exemption"
        ? by.exemption
        : "end";
  const cell = `${decision.direction} ${by.kind} ${where} ${decision.verdict}`;
  reached.set(cell, (reached.get(cell) ?? 0) + 1);
}

describe("lookup(compile(set)) == decide(set)", () => {
  it("now, for every pair of addresses, down to the cookie, in every cell of decision space", () => {
    const reached = new Map<string, number>();
    const samples = fc.uniqueArray(flowArbitrary, { minLength: 3, maxLength: 3 });
    const same = fc.property(worldArbitrary, samples, (world, flows) => {
      const { policy, cookies, index } = compiled(world);
      const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
      for (const source of ADDRESSES) {
        for (const destination of ADDRESSES) {
          const local = localEnds(world, { source, destination, protocol: 0, port: 0 });
          if (!local.egress && !local.ingress) continue;
          for (const { protocol, port } of flows) {
            for (const view of VIEWS) {
              const flow = { source, destination, protocol, port };
              const said = decide(world.set, index, flow, { now: NOW, view });
              const found = lookup(policy, view, flow, NOW);
              for (const direction of DIRECTIONS) {
                const got = looked(found[direction]);
                const about = { view, direction, flow };
                if (!local[direction]) {
                  claim(got === "not judged", "judges a workload elsewhere", about);
                  continue;
                }
                count(reached, world, said[direction]);
                const expected = reported(said[direction], cookieOf);
                claim(agrees(got, expected), `decide ${expected}, lookup ${got}`, about);
              }
            }
          }
        }
      }
    });
    expect(failureOf(same, 250)).toBe("");
    expect(CELLS.filter((cell) => (reached.get(cell) ?? 0) < enough(20))).toEqual([]);
  });

  it("where several workloads claim an address", () => {
    let contested = 0;
    const same = fc.property(contestedWorldArbitrary, flowsArbitrary, (world, samples) => {
      const { policy, cookies, index } = compiled(world);
      const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
      for (const flow of aimed(world.inventory, samples)) {
        const ends = [index.at(flow.source), index.at(flow.destination)];
        const local = localEnds(world, flow);
        for (const view of VIEWS) {
          const said = decide(world.set, index, flow, { now: NOW, view });
          const found = lookup(policy, view, flow, NOW);
          for (const direction of DIRECTIONS.filter((way) => local[way])) {
            if (ends.some(({ rivals }) => rivals.length > 0)) contested++;
            const got = looked(found[direction]);
            const expected = reported(said[direction], cookieOf);
            const about = { view, direction, flow };
            claim(agrees(got, expected), `decide ${expected}, lookup ${got}`, about);
          }
        }
      }
    });
    expect(failureOf(same, 300)).toBe("");
    expect(contested).toBeGreaterThan(enough(1000));
  });

  it("later: exact until the next change, and never more permissive after it", () => {
    let after = 0;
    const flows = fc.array(flowArbitrary, { minLength: 40, maxLength: 40 });
    const times = [...new Set(MOMENTS.flatMap((t) => [t - 1, t]))].filter((t) => t >= NOW);
    const safe = fc.property(worldArbitrary, flows, (world, samples) => {
      const { policy, index, nextChangeAt } = compiled(world);
      for (const flow of samples) {
        const local = localEnds(world, flow);
        for (const direction of DIRECTIONS.filter((way) => local[way])) {
          for (const view of VIEWS) {
            for (const now of times) {
              const got = lookup(policy, view, flow, now)[direction]?.verdict ?? "allow";
              const expected = decide(world.set, index, flow, { now, view })[direction].verdict;
              const exact = nextChangeAt === null || now < nextChangeAt;
              const about = { view, direction, flow, after: now - NOW, got, expected };
              claim(!exact || got === expected, "differs before the next change", about);
              claim(got !== "allow" || expected === "allow", "allows longer", about);
              if (!exact && got === "allow") after++;
            }
          }
        }
      }
    });
    expect(failureOf(safe, 250)).toBe("");
    expect(after).toBeGreaterThan(enough(100));
  });

  it("later: exact all the time where at most one change lies ahead, in the protocols that people use", () => {
    let changed = 0;
    const usual = new Set([TCP, UDP, SCTP, ICMP]);
    const flows = fc.array(flowArbitrary, { minLength: 60, maxLength: 60 });
    const times = MOMENTS.filter((t) => t >= NOW);
    const exact = fc.property(worldArbitrary, flows, (world, samples) => {
      const { policy, index } = compiled(world);
      for (const flow of samples.filter(({ protocol }) => usual.has(protocol))) {
        const local = localEnds(world, flow);
        for (const direction of DIRECTIONS.filter((way) => local[way])) {
          const said = times.map((now) => {
            const { verdict, determinedBy } = decide(world.set, index, flow, { now, view: "live" })[
              direction
            ];
            return { now, verdict, text: JSON.stringify(determinedBy) };
          });
          const changes = said.filter(({ text }, i) => i > 0 && text !== said[i - 1]!.text).length;
          if (changes > 1) continue;
          changed += changes;
          for (const { now, verdict } of said) {
            const got = lookup(policy, "live", flow, now)[direction]?.verdict ?? "allow";
            claim(got === verdict, "differs after its only change", {
              direction,
              flow,
              got,
              verdict,
            });
          }
        }
      }
    });
    expect(failureOf(exact, 250)).toBe("");
    expect(changed).toBeGreaterThan(enough(50));
  });
});
