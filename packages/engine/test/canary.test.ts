/** A rollout: for flows that take part its policies are in force, for all others they are staged; and compile agrees. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canaryBucket,
  canonicalHostPolicy,
  takesPart,
  TCP,
  type Block,
  type FlowQuery,
  type PolicySet,
  type Stage,
} from "@bulkhead/model";
import { compile, decide, explain, indexInventory, lookup, modeOf } from "../src/index.ts";
import { agrees, DIRECTIONS, holdCompiledTo, looked, reported } from "./agreement.ts";
import { claim, enough, failureOf } from "./check.ts";
import { any, block, rule, stage } from "./small-sets.ts";
import { ADDRESSES, endpointOf, flowArbitrary, NOW, worldArbitrary, type World } from "./worlds.ts";

const live = { now: NOW, view: "live" } as const;
const shadow = { now: NOW, view: "shadow" } as const;

/** Marks some blocks as a rollout's, by the bits of `mask`. */
function inRollout({ stages, profile }: PolicySet, mask: number, share: number): PolicySet {
  let at = 0;
  const marked = (stage: Stage): Stage => ({
    ...stage,
    blocks: stage.blocks.map((block) =>
      (mask >> (at++ % 16)) & 1 ? { ...block, canary: true as const } : block,
    ),
  });
  return { stages: stages.map(marked), profile, canary: { seed: mask + 1, share } };
}

/** The same set, written without the notion of a rollout: its blocks are staged, or plainly in force. */
function plain({ stages, profile }: PolicySet, inForce: boolean): PolicySet {
  return {
    profile,
    stages: stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map(({ canary, ...block }) =>
        canary === true && !inForce ? { ...block, enforce: "staged" as const } : block,
      ),
    })),
  };
}

const rolloutArbitrary = fc
  .tuple(worldArbitrary, fc.nat(65_535), fc.integer({ min: 1, max: 9999 }))
  .map(([world, mask, share]) => ({ world, set: inRollout(world.set, mask, share) }));

function compiled(world: World, set: PolicySet) {
  return compile(set, world.inventory, { now: NOW, revision: 1, endpoints: world.endpoints });
}

describe("a rollout", () => {
  it("means: in force for those who take part, staged for all others", () => {
    let [inside, outside, spared] = [0, 0, 0];
    const property = fc.property(rolloutArbitrary, flowArbitrary, ({ world, set }, aimed) => {
      const index = indexInventory(world.inventory);
      for (const source of ADDRESSES) {
        for (const destination of ADDRESSES) {
          const flow = { ...aimed, source, destination };
          const part = takesPart(flow, set.canary!);
          const { spared: denial, ...said } = decide(set, index, flow, live);
          const meant = decide(plain(set, part), index, flow, live);
          claim(JSON.stringify(said) === JSON.stringify(meant), "live", { flow, said, meant });
          const full = decide(plain(set, true), index, flow, live);
          const freed = said.verdict === "allow" && full.verdict !== "allow";
          claim((denial !== undefined) === freed, "spared", { flow, denial, full });
          claim(denial === undefined || denial.verdict === full.verdict, "by whom", {
            denial,
            full,
          });
          const [a, b] = [set, plain(set, true)].map((one) => decide(one, index, flow, shadow));
          claim(JSON.stringify(a) === JSON.stringify(b), "shadow", { flow, a, b });
          if (part) inside++;
          else outside++;
          if (freed) spared++;
        }
      }
    });
    expect(failureOf(property, 60)).toBe("");
    expect(inside).toBeGreaterThan(enough(1000));
    expect(outside).toBeGreaterThan(enough(1000));
    expect(spared).toBeGreaterThan(enough(300));
  });

  it("compiles to maps that say the same, down to the cookie", () => {
    let [settledDenials, sparedFlows] = [0, 0];
    const samples = fc.uniqueArray(flowArbitrary, { minLength: 2, maxLength: 2 });
    const property = fc.property(rolloutArbitrary, samples, ({ world, set }, flows) => {
      const { policy, cookies } = compiled(world, set);
      const index = indexInventory(world.inventory);
      const cookieOf = new Map(cookies.map(({ rule, cookie }) => [rule, cookie]));
      const local = new Set(world.endpoints.flatMap(({ addresses }) => addresses));
      for (const source of ADDRESSES) {
        for (const destination of ADDRESSES) {
          const judged = { egress: local.has(source), ingress: local.has(destination) };
          for (const { protocol, port } of flows) {
            const flow = { source, destination, protocol, port };
            for (const options of [live, shadow]) {
              const said = decide(set, index, flow, options);
              const found = lookup(policy, options.view, flow, NOW);
              for (const direction of DIRECTIONS) {
                if (!judged[direction]) continue;
                const [got, expected] = [
                  looked(found[direction]),
                  reported(said[direction], cookieOf),
                ];
                claim(agrees(got, expected), "agrees", { got, expected, flow, direction });
              }
              if (options === shadow) continue;
              if (said.spared !== undefined) sparedFlows++;
              if (said.verdict !== "allow" && !takesPart(flow, set.canary!)) settledDenials++;
            }
          }
        }
      }
    });
    expect(failureOf(property, 60)).toBe("");
    expect(settledDenials).toBeGreaterThan(enough(300));
    expect(sparedFlows).toBeGreaterThan(enough(300));
  });

  it("leaves no trace in what is compiled once it is over", () => {
    const property = fc.property(rolloutArbitrary, ({ world, set }) => {
      const over = compiled(world, { ...set, canary: undefined }).policy;
      const never = compiled(world, plain(set, true)).policy;
      claim(canonicalHostPolicy(over) === canonicalHostPolicy(never), "the same bytes");
      claim(!("canary" in never) && "canary" in compiled(world, set).policy, "only while it runs");
    });
    expect(failureOf(property, 40)).toBe("");
  });

  it("switches guards on for those only whom settled policies enforce", () => {
    const property = fc.property(rolloutArbitrary, ({ world, set }) => {
      const index = indexInventory(world.inventory);
      const { policy, modes } = compiled(world, set);
      for (const { workload, mode } of policy.endpoints) {
        const known = index.workloads.get(workload);
        if (known === undefined) continue;
        claim(mode === modeOf(known, plain(set, false), index, NOW), "guards", { workload, mode });
        claim(modes[workload] === modeOf(known, plain(set, true), index, NOW), "mode", workload);
      }
    });
    expect(failureOf(property, 60)).toBe("");
  });

  it("explains who would deny what it spares, and that the rules wait for their share", () => {
    const { set, index, flows } = isolated(3000);
    const outside = flows.find((flow) => !takesPart(flow, set.canary!))!;
    const inside = flows.find((flow) => takesPart(flow, set.canary!))!;
    const why = explain(set, index, outside, live);
    expect(why.decision.verdict).toBe("allow");
    expect(why.decision.spared).toMatchObject({ direction: "ingress", verdict: "drop" });
    expect(why.smallestChange).toBeNull();
    expect(why.ingress.stages.flatMap(({ blocks }) => blocks)).toMatchObject([{ inert: "canary" }]);
    const cut = explain(set, index, inside, live);
    expect(cut.decision).toMatchObject({ verdict: "drop", ingress: { verdict: "drop" } });
    expect(cut.decision.spared).toBeUndefined();
    expect(cut.smallestChange).toMatchObject({ kind: "add" });
  });

  it("cuts those who take part and nobody else, and the maps cut the same", () => {
    const { set, index, flows } = isolated(3000);
    const part = flows.filter((flow) => takesPart(flow, set.canary!));
    expect(part.length).toBeGreaterThan(10);
    expect(part.length).toBeLessThan(50);
    const verdicts = (view: "live" | "shadow", share: readonly FlowQuery[]) => {
      const said = share.map((flow) => {
        const decision = decide(set, index, flow, { now: NOW, view });
        holdCompiledTo(decision, set, index.inventory, flow, { now: NOW, view });
        return `${decision.verdict} ${decision.spared?.verdict ?? "not spared"}`;
      });
      return [...new Set(said)];
    };
    const spared = flows.filter((flow) => !part.includes(flow));
    expect(verdicts("live", part)).toEqual(["drop not spared"]);
    expect(verdicts("live", spared)).toEqual(["allow drop"]);
    expect(verdicts("shadow", flows)).toEqual(["drop not spared"]);
  });

  it("spares nobody whom a settled policy denies, and names the end that it spares at", () => {
    const { set, index, flows } = isolated(3000);
    const outside = flows.find((flow) => !takesPart(flow, set.canary!))!;
    const said = (blocks: readonly Block[]) => {
      const stages = set.stages.map((stage) => ({ ...stage, blocks }));
      const decision = decide({ ...set, stages }, index, outside, live);
      holdCompiledTo(decision, { ...set, stages }, index.inventory, outside, live);
      return `${decision.verdict} ${decision.spared?.direction ?? "not spared"}`;
    };
    const [inbound] = set.stages[0]!.blocks;
    const outbound: Block = {
      ...inbound!,
      id: "Policy/else/where#egress",
      direction: "egress",
      subject: { kind: "all-workloads" },
    };
    const settled: Block = { ...outbound, id: "Policy/else/settled#egress", canary: undefined };
    expect(said([inbound!])).toBe("allow ingress");
    expect(said([inbound!, outbound])).toBe("allow egress");
    expect(said([outbound])).toBe("allow egress");
    expect(said([inbound!, settled])).toBe("drop not spared");
    expect(said([outbound, settled])).toBe("drop not spared");
    expect(said([])).toBe("allow not spared");
  });

  it("guards nobody for its own sake, and is what the workload is told to be enforced by", () => {
    const { set, index } = isolated(3000);
    const [db] = index.inventory.workloads;
    const modes = (enforce: Block["enforce"], canary: true | undefined) => {
      const stages = set.stages.map((stage) => ({
        ...stage,
        blocks: stage.blocks.map((block) => ({ ...block, enforce, canary })),
      }));
      const { policy, modes: told } = compile({ ...set, stages }, index.inventory, {
        now: NOW,
        revision: 1,
        endpoints: [endpointOf(db!)],
      });
      return [policy.endpoints[0]?.mode, told["shop/db"], told["else/where"]];
    };
    expect(modes("on", true)).toEqual(["audit", "enforce", "observe"]);
    expect(modes("on", undefined)).toEqual(["enforce", "enforce", "observe"]);
    expect(modes("staged", true)).toEqual(["audit", "audit", "observe"]);
    expect(modeOf(db!, set, index, NOW)).toBe("enforce");
    expect(modeOf(db!, set, index, NOW, true)).toBe("audit");
  });

  it("cuts where what is staged would undo it, though the shadow then says what is settled", () => {
    const { set, index, flows } = isolated(3000);
    const plainly = { isolates: false };
    const blocks = [
      block("pass", "ingress", "shop:", [rule("pass", [any])], { ...plainly, enforce: "staged" }),
      block("deny", "ingress", "shop:", [rule("deny", [any])], {
        ...plainly,
        order: [1],
        canary: true,
      }),
    ];
    const settled = [block("all", "ingress", "shop:", [rule("allow", [any])])];
    const both: PolicySet = {
      ...set,
      stages: [
        stage("guardrail", "firstMatch", blocks, { onPass: "application" }),
        stage("application", "denyOverrides", settled),
      ],
    };
    const said = (flow: FlowQuery, view: "live" | "shadow") => {
      const decision = decide(both, index, flow, { now: NOW, view });
      holdCompiledTo(decision, both, index.inventory, flow, { now: NOW, view });
      return decision.verdict;
    };
    const part = flows.filter((flow) => takesPart(flow, set.canary!));
    expect(new Set(part.map((flow) => said(flow, "live")))).toEqual(new Set(["drop"]));
    expect(new Set(part.map((flow) => said(flow, "shadow")))).toEqual(new Set(["allow"]));
    const others = flows.filter((flow) => !part.includes(flow));
    expect(new Set(others.map((flow) => said(flow, "live")))).toEqual(new Set(["allow"]));
  });

  it("is over for the guards too, though its marks are still there", () => {
    const { set, index } = isolated(3000);
    const { policy, capacity } = compile({ ...set, canary: undefined }, index.inventory, {
      now: NOW,
      revision: 1,
      endpoints: [endpointOf(index.inventory.workloads[0]!)],
    });
    expect(policy.endpoints.map(({ mode }) => mode)).toEqual(["enforce"]);
    expect(capacity).toMatchObject({ subjects: 1, classes: 1 });
  });

  it("takes room of its own in the datapath", () => {
    const { set, index } = isolated(3000);
    const { capacity } = compile(set, index.inventory, {
      now: NOW,
      revision: 1,
      endpoints: [endpointOf(index.inventory.workloads[0]!)],
    });
    // One class of one row in the shadow, and the same for those who take part.
    expect(capacity).toEqual({
      subjects: 2,
      classes: 2,
      rows: 1,
      exactEntries: 0,
      rangeEntries: 0,
      overlayEntries: 0,
      intervals: 1,
    });
  });

  it("goes by what was addressed, before destination translation", () => {
    const { set, index, flows } = isolated(5000);
    const flow = flows.find((one) => takesPart(one, set.canary!))!;
    const elsewhere = Array.from({ length: 200 }, (_, port) => ({ destination: "10.9.9.9", port }));
    const addressed = elsewhere.find(
      ({ destination, port }) =>
        canaryBucket({ ...flow, destination, port }, set.canary!.seed) >= 5000,
    )!;
    expect(decide(set, index, flow, live).verdict).toBe("drop");
    expect(decide(set, index, { ...flow, addressed }, live).verdict).toBe("allow");
  });
});

/** `shop/db` lets nobody in, for a share of flows; others speak to it on many ports. */
function isolated(share: number) {
  const source = { file: "db.yaml", line: 1, column: 1 };
  const set: PolicySet = {
    profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
    canary: { seed: 77, share },
    stages: [
      {
        id: "application",
        plane: "net",
        mode: "denyOverrides",
        endIfApplied: "deny",
        onPass: null,
        blocks: [
          {
            id: "Policy/shop/db#ingress",
            source,
            subject: {
              kind: "workloads",
              namespaces: { kind: "named", name: "shop" },
              selector: { requirements: [] },
            },
            direction: "ingress",
            order: [0],
            isolates: true,
            enforce: "on",
            canary: true,
            rules: [],
            policy: { kind: "Policy", namespace: "shop", name: "db" },
          },
        ],
      },
    ],
  };
  const index = indexInventory({
    workloads: [
      {
        id: "shop/db",
        namespace: "shop",
        name: "db",
        kind: "netns",
        labels: { app: "db" },
        addresses: ["10.0.0.5"],
        namedPorts: [],
        hostNetwork: false,
      },
      {
        id: "else/where",
        namespace: "else",
        name: "where",
        kind: "netns",
        labels: { app: "where" },
        addresses: ["10.0.0.1"],
        namedPorts: [],
        hostNetwork: false,
      },
    ],
    namespaces: [],
    hostAddresses: [],
  });
  const flows = Array.from({ length: 100 }, (_, port): FlowQuery => ({
    source: "10.0.0.1",
    destination: "10.0.0.5",
    protocol: TCP,
    port,
  }));
  return { set, index, flows };
}
