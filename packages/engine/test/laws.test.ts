/** The laws of `decide`, by name: what holds for every policy set, whatever it says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalHostPolicy,
  type Block,
  type Direction,
  type FlowQuery,
  type PolicySet,
  type Rule,
  type Stage,
  type Workload,
} from "@bulkhead/model";
import { compile, decide, indexInventory, type DecideOptions } from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import { any, block, rule, stage } from "./small-sets.ts";
import { aimed, flowsArbitrary as flows, NOW, worldArbitrary, type World } from "./worlds.ts";

const DIRECTIONS: readonly Direction[] = ["egress", "ingress"];
const SOURCE = { file: "", line: 1, column: 1, endLine: 1, endColumn: 1 };
const LIVE: DecideOptions = { now: NOW, view: "live" };
function mapBlocks(set: PolicySet, change: (block: Block) => Block[]): PolicySet {
  return {
    ...set,
    stages: set.stages.map((stage) => ({ ...stage, blocks: stage.blocks.flatMap(change) })),
  };
}

function mapRules(set: PolicySet, change: (rule: Rule) => Rule[]): PolicySet {
  return mapBlocks(set, (block) => [{ ...block, rules: block.rules.flatMap(change) }]);
}

/** Runs `law` on random worlds and flows; it says how often it had something to say, so that none holds by silence. */
function holds(
  law: (world: World, flow: FlowQuery) => number | boolean,
  numRuns = 300,
): { failure: string; cases: number } {
  let cases = 0;
  const property = fc.property(worldArbitrary, flows, (world, samples) => {
    for (const flow of aimed(world.inventory, samples)) cases += Number(law(world, flow));
  });
  return { failure: failureOf(property, numRuns), cases };
}

function decideAll({ set, inventory }: World, flow: FlowQuery, options = LIVE) {
  return decide(set, indexInventory(inventory), flow, options);
}

describe("laws", () => {
  it("both ends: allowed iff egress and ingress both allow, and a deny is egress's before ingress's", () => {
    const { failure, cases } = holds((world, flow) => {
      const { verdict, egress, ingress } = decideAll(world, flow);
      const expected = egress.verdict === "allow" ? ingress.verdict : egress.verdict;
      claim(verdict === expected, "verdict of both", { flow, verdict, egress, ingress });
      return egress.verdict !== ingress.verdict;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(500));
  });

  it("default deny: an isolated subject that no rule allows is denied", () => {
    const { failure, cases } = holds((world, flow) => {
      // Take away all rules: what isolates still isolates.
      const set = mapRules(world.set, () => []);
      const decision = decideAll({ ...world, set }, flow);
      return DIRECTIONS.filter((direction) => {
        const { verdict, determinedBy } = decision[direction];
        if (determinedBy.kind === "isolation") claim(verdict === "drop", "isolated", flow);
        const judged = determinedBy.kind !== "exemption";
        const isolating = set.stages
          .filter(({ plane, endIfApplied }) => plane === "net" && endIfApplied === "deny")
          .flatMap(({ blocks }) => blocks)
          .some(
            (block) =>
              block.direction === direction &&
              block.isolates &&
              block.enforce === "on" &&
              block.expiresAt === undefined &&
              block.subject.kind === "all-workloads",
          );
        const passes = set.stages.some(({ endIfApplied }) => endIfApplied === "pass");
        if (judged && isolating && !passes) claim(verdict === "drop", "not denied", decision);
        return judged && isolating && !passes;
      }).length;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(250));
  });

  it("deny overrides allow: in a denyOverrides stage no allow survives a deny that matches", () => {
    const { failure, cases } = holds((world, flow) => {
      const before = decideAll(world, flow);
      const deny: Pick<Rule, "action" | "peers" | "ports" | "enforce"> = {
        action: "deny",
        peers: [{ kind: "any" }],
        ports: [{ kind: "all" }],
        enforce: "on",
      };
      return DIRECTIONS.filter((direction) => {
        const by = before[direction].determinedBy;
        if (by.kind !== "rule" || before[direction].verdict !== "allow") return false;
        const stage = world.set.stages.find(({ id }) => id === by.stage)!;
        if (stage.mode !== "denyOverrides") return false;
        const denied = mapBlocks(world.set, (block) =>
          block.rules.some(({ id }) => id === by.rule)
            ? [
                {
                  ...block,
                  rules: [...block.rules, { ...block.rules[0]!, ...deny, expiresAt: undefined }],
                },
              ]
            : [block],
        );
        const after = decideAll({ ...world, set: denied }, flow);
        claim(after[direction].verdict === "drop", "allowed beside a deny", { flow, by });
        return true;
      }).length;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(100));
  });

  it("a pass before all else hands over to the stage it names: what lies between has no word", () => {
    const { failure, cases } = holds((world, flow) => {
      const [first, ...rest] = world.set.stages;
      const target = world.set.stages.findIndex(({ id }) => id === first!.onPass);
      const passed: Block[] = DIRECTIONS.map((direction) => {
        const id = `pass#${direction}`;
        const rule: Rule = {
          id: `${id}/r`,
          source: SOURCE,
          action: "pass",
          peers: [{ kind: "any" }],
          ports: [{ kind: "all" }],
          enforce: "on",
        };
        return {
          id,
          source: SOURCE,
          subject: { kind: "all-workloads" },
          direction,
          order: [0],
          isolates: true,
          enforce: "on",
          rules: [rule],
          policy: { kind: "Policy", namespace: "", name: "pass" },
        };
      });
      const later = first!.blocks.map((block) => ({ ...block, order: [1, ...block.order] }));
      const passing = { ...first!, mode: "firstMatch" as const, blocks: [...passed, ...later] };
      const skipped = ({ plane }: Stage, at: number) =>
        plane === first!.plane && (target < 0 || at < target);
      const silent = world.set.stages.map((stage, at) =>
        skipped(stage, at) ? { ...stage, blocks: [] } : stage,
      );
      const set = { ...world.set, stages: [passing, ...rest] };
      const after = decideAll({ ...world, set }, flow);
      const without = decideAll({ ...world, set: { ...world.set, stages: silent } }, flow);
      const same = JSON.stringify(after) === JSON.stringify(without);
      claim(same, "what was passed over acts", { flow, after, without });
      return decideAll(world, flow).verdict !== after.verdict;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(300));
  });

  it("adding an allow never denies: in a denyOverrides or anyAllow stage", () => {
    const { failure, cases } = holds((world, flow) => {
      const set = {
        ...world.set,
        stages: world.set.stages.map((stage) =>
          stage.mode === "firstMatch"
            ? stage
            : {
                ...stage,
                blocks: stage.blocks.map((block) => ({
                  ...block,
                  rules: [
                    ...block.rules,
                    {
                      id: `${block.id}/more`,
                      source: block.source,
                      action: "allow" as const,
                      peers: [{ kind: "any" as const }],
                      ports: [{ kind: "all" as const }],
                      enforce: "on" as const,
                    },
                  ],
                })),
              },
        ),
      };
      const [before, after] = [decideAll(world, flow), decideAll({ ...world, set }, flow)];
      // A later stage may deny what an earlier one allowed before: not here, an allow is final.
      if (world.set.stages.every(({ plane }) => plane === "net")) {
        claim(before.verdict !== "allow" || after.verdict === "allow", "an allow denied", flow);
      }
      return before.verdict !== after.verdict;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(200));
  });

  it("order is irrelevant: of blocks in a stage, of workloads, of namespaces", () => {
    let compared = 0;
    const property = fc.property(
      worldArbitrary,
      flows,
      fc.infiniteStream(fc.nat()),
      (world, samples, random) => {
        const shuffle = <T>(list: readonly T[]) => shuffled(list, random);
        const { set, inventory, endpoints, processes } = world;
        const stages = set.stages.map((stage) => ({ ...stage, blocks: shuffle(stage.blocks) }));
        const other: World = {
          set: { ...set, stages },
          inventory: {
            workloads: shuffle(inventory.workloads),
            namespaces: shuffle(inventory.namespaces),
            hostAddresses: shuffle(inventory.hostAddresses),
          },
          endpoints: shuffle(endpoints),
          processes: shuffle(processes),
        };
        for (const flow of aimed(world.inventory, samples)) {
          for (const view of ["live", "shadow"] as const) {
            const [a, b] = [world, other].map((one) => decideAll(one, flow, { now: NOW, view }));
            claim(JSON.stringify(a) === JSON.stringify(b), "decides differently", { flow, a, b });
          }
        }
        const [a, b] = [world, other].map((one) => textOf(one));
        claim(a === b, "compiles differently");
        compared++;
      },
    );
    expect(failureOf(property, 150)).toBe("");
    expect(compared).toBeGreaterThan(enough(100));
  });

  it("staged never changes live, and in the shadow it acts as if it were on", () => {
    const { failure, cases } = holds((world, flow) => {
      const without = mapRules(
        mapBlocks(world.set, (block) => (block.enforce === "staged" ? [] : [block])),
        (one) => (one.enforce === "staged" ? [] : [one]),
      );
      const enforced = mapRules(
        mapBlocks(world.set, (block) => [{ ...block, enforce: "on" }]),
        (one) => [{ ...one, enforce: "on" }],
      );
      const live = decideAll(world, flow);
      const shadow = decideAll(world, flow, { now: NOW, view: "shadow" });
      const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
      claim(same(live, decideAll({ ...world, set: without }, flow)), "live", flow);
      claim(same(shadow, decideAll({ ...world, set: enforced }, flow)), "shadow", flow);
      return !same(live, shadow);
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(300));
  });

  it("expiry equals removal, at the very moment and not before", () => {
    const { failure, cases } = holds((world, flow) => {
      const gone = (thing: { readonly expiresAt?: number | undefined }) =>
        thing.expiresAt !== undefined && thing.expiresAt <= NOW;
      const without = mapRules(
        mapBlocks(world.set, (block) => (gone(block) ? [] : [block])),
        (one) => (gone(one) ? [] : [one]),
      );
      const [a, b] = [decideAll(world, flow), decideAll({ ...world, set: without }, flow)];
      claim(JSON.stringify(a) === JSON.stringify(b), "an expired thing acts", { flow, a, b });
      const before = decideAll(world, flow, { now: NOW - 1, view: "live" });
      return JSON.stringify(a) !== JSON.stringify(before);
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(100));
  });

  it("the inventory of now is all there is: a workload that left leaves nothing behind", () => {
    const { failure, cases } = holds((world, flow) => {
      const [leaving, ...staying] = world.inventory.workloads;
      const inventory = { ...world.inventory, workloads: staying };
      const after = decideAll({ ...world, inventory }, flow);
      const owned = leaving!.addresses.includes(flow.source) && !leaving!.hostNetwork;
      if (owned) {
        const { determinedBy } = after.egress;
        claim(
          determinedBy.kind === "exemption" && determinedBy.exemption === "not-a-workload",
          "judged after it left",
          { flow, determinedBy },
        );
      }
      return owned;
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(100));
  });

  it("replies follow: what is allowed stays so, whatever the other end may open and this one may be opened to", () => {
    const { failure, cases } = holds((world, flow) => {
      const index = indexInventory(world.inventory);
      const [asks, answers] = [index.at(flow.source), index.at(flow.destination)];
      const before = decide(world.set, index, flow, LIVE);
      if (before.verdict !== "allow" || asks.workload === answers.workload) return false;
      const mark = (workload: Workload): Workload => {
        const labels = { ...workload.labels };
        if (workload.id === asks.workload?.id) labels["asks"] = "yes";
        if (workload.id === answers.workload?.id) labels["answers"] = "yes";
        return { ...workload, labels };
      };
      const marked = { ...world.inventory, workloads: world.inventory.workloads.map(mark) };
      const shut = [
        block("answers", "egress", "*:answers=yes", [rule("deny", [any])]),
        block("asks", "ingress", "*:asks=yes", [rule("deny", [any])]),
      ];
      const first = stage("shut", "firstMatch", shut, {
        endIfApplied: "pass",
        onPass: world.set.stages[0]?.id ?? null,
      });
      const oneWay = {
        ...world,
        inventory: marked,
        set: { ...world.set, stages: [first, ...world.set.stages] },
      };
      const back = { ...flow, source: flow.destination, destination: flow.source };
      const { verdict, egress, ingress } = decideAll(oneWay, flow);
      claim(verdict === "allow", "an answer was asked for as a connection", { egress, ingress });
      return decideAll(oneWay, back).verdict !== "allow";
    });
    expect(failure).toBe("");
    expect(cases).toBeGreaterThan(enough(500));
  });
});

function textOf({ set, inventory, endpoints }: World): string {
  return canonicalHostPolicy(compile(set, inventory, { now: NOW, revision: 1, endpoints }).policy);
}

function shuffled<T>(list: readonly T[], random: fc.Stream<number>): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.next().value! % (i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
