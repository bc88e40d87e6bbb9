/** The compiled maps say what the reference says: for every flow, in both views, now and at every expiry ahead. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision, Direction, DirectionDecision, FlowQuery } from "@bulkhead/model";
import { compile, decide, indexInventory, lookup, type View } from "../src/index.ts";
import { check, runs } from "./check.ts";
import { ADDRESSES, flowArbitrary, MOMENTS, NOW, worldArbitrary, type World } from "./worlds.ts";

const VIEWS = ["live", "shadow"] as const;

/** What decided, as the datapath would report it. */
function reported(decision: DirectionDecision, cookies: ReadonlyMap<string, string>) {
  const by = decision.determinedBy;
  switch (by.kind) {
    case "exemption":
      return "not judged";
    case "default":
      return `${decision.verdict} 00000000`;
    case "rule":
      return `${decision.verdict} ${cookies.get(by.rule)}`;
    case "isolation":
      return `${decision.verdict} ${cookies.get(by.block)}`;
  }
}

function looked(found: { verdict: string; cookie: string } | undefined): string {
  return found === undefined ? "not judged" : `${found.verdict} ${found.cookie}`;
}

/** Cells of decision space that were reached, to show that the worlds are rich enough. */
const reached = new Map<string, number>();

function count(world: World, decision: DirectionDecision) {
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

function compiled(world: World, now = NOW) {
  const result = compile(world.set, world.inventory, {
    now,
    revision: 1,
    endpoints: world.endpoints,
  });
  return { ...result, index: indexInventory(world.inventory) };
}

const localOnly = (world: World, flow: FlowQuery) => {
  const local = new Set(world.endpoints.flatMap(({ addresses }) => addresses));
  return { egress: local.has(flow.source), ingress: local.has(flow.destination) };
};

describe("lookup(compile(set)) == decide(set)", () => {
  it("now, for every pair of addresses", () => {
    check(
      fc.property(
        worldArbitrary,
        fc.uniqueArray(flowArbitrary, { minLength: 3, maxLength: 3 }),
        (world, samples) => {
          const { policy, cookies, index } = compiled(world);
          const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
          for (const view of VIEWS) {
            for (const source of ADDRESSES) {
              for (const destination of ADDRESSES) {
                for (const { protocol, port } of samples) {
                  const flow = { source, destination, protocol, port };
                  const local = localOnly(world, flow);
                  if (!local.egress && !local.ingress) continue;
                  const said = decide(world.set, index, flow, { now: NOW, view });
                  const found = lookup(policy, view, flow, NOW);
                  expectSame(world, flow, view, said, found, local, cookieOf);
                }
              }
            }
          }
        },
      ),
      runs(250),
    );
  });

  function expectSame(
    world: World,
    flow: FlowQuery,
    view: View,
    said: Decision,
    found: ReturnType<typeof lookup>,
    local: Record<Direction, boolean>,
    cookieOf: ReadonlyMap<string, string>,
  ) {
    for (const direction of ["egress", "ingress"] as const) {
      if (!local[direction]) {
        expect(found[direction], `${direction} of a workload elsewhere`).toBeUndefined();
        continue;
      }
      count(world, said[direction]);
      const expected = reported(said[direction], cookieOf);
      const got = looked(found[direction]);
      // A subject that nothing asks about has no class: silence is the default.
      if (got === "not judged" && expected === "allow 00000000") continue;
      if (got !== expected) {
        expect.fail(
          `${view} ${direction} ${JSON.stringify(flow)}: decide ${expected}, lookup ${got}`,
        );
      }
    }
  }

  it("later: exact until the next change, and never more permissive after it", () => {
    let after = 0;
    check(
      fc.property(
        worldArbitrary,
        fc.array(flowArbitrary, { minLength: 40, maxLength: 40 }),
        (world, flows) => {
          const { policy, index, nextChangeAt } = compiled(world);
          const times = [...MOMENTS.map((t) => t), ...MOMENTS.map((t) => t - 1)].filter(
            (t) => t >= NOW,
          );
          for (const flow of flows) {
            const local = localOnly(world, flow);
            for (const view of VIEWS) {
              for (const direction of ["egress", "ingress"] as const) {
                if (!local[direction]) continue;
                const verdictAt = (now: number) =>
                  decide(world.set, index, flow, { now, view })[direction].verdict;
                for (const now of times) {
                  const got = lookup(policy, view, flow, now)[direction]?.verdict ?? "allow";
                  const expected = verdictAt(now);
                  if (nextChangeAt === null || now < nextChangeAt) expect(got).toBe(expected);
                  else if (got === "allow") {
                    after += expected === "allow" ? 1 : 0;
                    expect(expected, `allowed at ${now - NOW} ms, in ${view}`).toBe("allow");
                  }
                }
              }
            }
          }
        },
      ),
      runs(250),
    );
    expect(after).toBeGreaterThan(100);
  });

  it("later: exact all the time where at most one change lies ahead", () => {
    let changed = 0;
    check(
      fc.property(
        worldArbitrary,
        fc.array(flowArbitrary, { minLength: 60, maxLength: 60 }),
        (world, flows) => {
          const { policy, index } = compiled(world);
          const times = MOMENTS.filter((t) => t >= NOW);
          for (const flow of flows) {
            const local = localOnly(world, flow);
            for (const direction of ["egress", "ingress"] as const) {
              if (!local[direction]) continue;
              const said = times.map((now) => {
                const decision = decide(world.set, index, flow, { now, view: "live" })[direction];
                return {
                  now,
                  verdict: decision.verdict,
                  text: JSON.stringify(decision.determinedBy),
                };
              });
              const changes = said.filter(
                ({ text }, i) => i > 0 && text !== said[i - 1]!.text,
              ).length;
              if (changes > 1) continue;
              changed += changes;
              for (const { now, verdict } of said) {
                const got = lookup(policy, "live", flow, now)[direction]?.verdict ?? "allow";
                expect(got).toBe(verdict);
              }
            }
          }
        },
      ),
      runs(250),
    );
    expect(changed).toBeGreaterThan(50);
  });

  it("reached every cell of decision space that exists", () => {
    const cells: string[] = [];
    for (const direction of ["egress", "ingress"]) {
      for (const mode of ["firstMatch", "denyOverrides"]) {
        for (const verdict of ["allow", "drop", "reject"]) {
          cells.push(`${direction} rule ${mode} ${verdict}`);
        }
      }
      cells.push(`${direction} rule anyAllow allow`);
      for (const mode of ["firstMatch", "anyAllow", "denyOverrides"]) {
        cells.push(`${direction} isolation ${mode} drop`);
      }
      cells.push(`${direction} default end allow`, `${direction} default end drop`);
      cells.push(`${direction} exemption hairpin allow`);
    }
    cells.push("ingress exemption node allow");
    const poor = cells.filter((cell) => (reached.get(cell) ?? 0) < 20);
    expect(poor).toEqual([]);
  });
});
