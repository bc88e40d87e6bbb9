/** The maps of a whole cluster say what each machine's compilation says, from nothing and after any change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  Block,
  Direction,
  Inventory,
  IpAddress,
  Peer,
  PolicySet,
  Workload,
} from "@bulkhead/model";
import { compile, createEstate, type ClusterMap, type Estate, type View } from "../src/index.ts";
import { freeze } from "../src/reach/reach-universe.ts";
import { claim, enough, failureOf } from "./check.ts";
import { block, chosen, inventory, nativeSet, rule, T0, tcp, workload } from "./small-sets.ts";
import { contestedWorldArbitrary, endpointOf, MOMENTS, worldArbitrary } from "./worlds.ts";

const DIRECTIONS = ["egress", "ingress"] as const;

interface State {
  readonly set: PolicySet;
  readonly inventory: Inventory;
}

type Said = Map<string, unknown>;

/** By direction and address: the map that judges it, with every row written out and rules by their names. */
function compiled({ set, inventory }: State, now: number, view: View): Said {
  const frozen = freeze(set, { now, view });
  const endpoints = inventory.workloads.filter(({ hostNetwork }) => !hostNetwork).map(endpointOf);
  const { policy, cookies } = compile(frozen, inventory, { now, revision: 1, endpoints });
  const names = new Map(cookies.map(({ cookie, rule }) => [cookie, rule]));
  const rows = new Map(
    policy.rows.map(({ id, ...row }) => [
      id,
      JSON.parse(JSON.stringify(row), (key, value: unknown) =>
        key === "decision" || key === "others" ? named(value, names) : value,
      ) as unknown,
    ]),
  );
  const said: Said = new Map();
  for (const direction of DIRECTIONS) {
    const maps = new Map(
      policy.live.maps
        .filter((map) => map.direction === direction)
        .map(({ classId, exact, ranges, defaultRow }) => [
          classId,
          {
            exact: exact.map(([address, row]) => [address, rows.get(row)]),
            ranges: ranges.map(([first, last, row]) => [first, last, rows.get(row)]),
            defaultRow: rows.get(defaultRow),
          },
        ]),
    );
    for (const [address, classId] of policy.live.subjects[direction]) {
      said.set(`${direction} ${address}`, maps.get(classId));
    }
  }
  return said;
}

function named(value: unknown, names: ReadonlyMap<string, string>): unknown {
  const { verdict, cookie } = value as { readonly verdict: string; readonly cookie: string };
  return { verdict, by: names.get(cookie) ?? null };
}

function written(estate: Estate, map: ClusterMap) {
  const { exact, ranges, defaultRow } = estate.expand(map);
  return {
    exact: exact.map(([address, row]) => [address, estate.row(row)]),
    ranges: ranges.map(([first, last, row]) => [first, last, estate.row(row)]),
    defaultRow: estate.row(defaultRow),
  };
}

function addressesOf({ workloads }: Inventory): Set<IpAddress> {
  return new Set(workloads.flatMap(({ addresses }) => addresses));
}

function told(estate: Estate, { inventory }: State): Said {
  const said: Said = new Map();
  for (const address of addressesOf(inventory)) {
    for (const direction of DIRECTIONS) {
      const map = estate.mapOf(address, direction);
      if (map !== null) said.set(`${direction} ${address}`, written(estate, map));
    }
  }
  return said;
}

const text = (said: Said) => JSON.stringify([...said].toSorted(([a], [b]) => (a < b ? -1 : 1)));

function hold(estate: Estate, state: State, now: number, view: View, what: string): void {
  const [got, wanted] = [told(estate, state), compiled(state, now, view)];
  claim(text(got) === text(wanted), `differs ${what}`, { got: [...got], wanted: [...wanted] });
  const judging = new Set<ClusterMap>();
  for (const address of addressesOf(state.inventory)) {
    for (const direction of DIRECTIONS) {
      const map = estate.mapOf(address, direction);
      if (map !== null) judging.add(map);
    }
  }
  const listed = [...estate.maps()];
  const same = listed.length === judging.size && listed.every((map) => judging.has(map));
  claim(same, `other maps are listed ${what}`, [listed.length, judging.size]);
}

const moment = fc.constantFrom(...MOMENTS);
const views = fc.constantFrom("live" as const, "shadow" as const);

interface Step {
  readonly change: Parameters<Estate["update"]>[0];
  readonly state: State;
}

type Making = (state: State, from: State, n: number, m: number) => Step | null;

const at = <T>(list: readonly T[], n: number): T | undefined => list[n % (list.length || 1)];

const withWorkload = ({ set, inventory }: State, workload: Workload): Step => ({
  change: { workloads: [workload] },
  state: {
    set,
    inventory: {
      ...inventory,
      workloads: [...inventory.workloads.filter(({ id }) => id !== workload.id), workload],
    },
  },
});

const withBlocks = (
  { set, inventory }: State,
  n: number,
  m: number,
  edit: (blocks: readonly Block[], old: Block | undefined) => readonly [Block | undefined, Block[]],
): Step => {
  const position = m % set.stages.length;
  const stage = set.stages[position]!;
  const old = at(stage.blocks, n);
  const [after, blocks] = edit(stage.blocks, old);
  const before = blocks.includes(old!) ? blockOf(stage.blocks, after) : old;
  return {
    change: {
      blocks: [
        {
          stage: stage.id,
          ...(before === undefined ? {} : { before }),
          ...(after === undefined ? {} : { after }),
        },
      ],
    },
    state: {
      inventory,
      set: { ...set, stages: set.stages.with(position, { ...stage, blocks }) },
    },
  };
};

const blockOf = (blocks: readonly Block[], like: Block | undefined) =>
  blocks.find(({ id }) => id === like?.id);

const STEPS: Readonly<Record<string, Making>> = {
  "a workload comes, or another takes its name": (state, from, n) => {
    const taken = at(from.inventory.workloads, n);
    return taken === undefined ? null : withWorkload(state, taken);
  },
  "a workload is relabelled": (state, from, n, m) => {
    const [old, other] = [at(state.inventory.workloads, n), at(from.inventory.workloads, m)];
    if (old === undefined || other === undefined) return null;
    const { labels, namedPorts } = other;
    return withWorkload(state, { ...old, labels, namedPorts });
  },
  "a workload has other addresses": (state, from, n, m) => {
    const [old, other] = [at(state.inventory.workloads, n), at(from.inventory.workloads, m)];
    if (old === undefined || other === undefined) return null;
    return withWorkload(state, { ...old, addresses: other.addresses });
  },
  "a workload goes": ({ set, inventory }, _, n) => {
    const old = at(inventory.workloads, n);
    if (old === undefined) return null;
    const workloads = inventory.workloads.filter((one) => one !== old);
    return { change: { gone: [old.id] }, state: { set, inventory: { ...inventory, workloads } } };
  },
  "a block goes": (state, _, n, m) =>
    withBlocks(state, n, m, (blocks, old) => [undefined, blocks.filter((one) => one !== old)]),
  "a block comes": (state, from, n, m) => {
    const donor = at(at(from.set.stages, m)!.blocks, n);
    if (donor === undefined) return null;
    const id = `Policy/new/${n}#${donor.direction}`;
    const rules = donor.rules.map((rule, r) => ({ ...rule, id: `${id}/r${r}` }));
    return withBlocks(state, n, m, (blocks) => {
      const after = { ...donor, id, rules };
      return [after, [...blocks.filter((one) => one.id !== id), after]];
    });
  },
  "a block says something else": (state, from, n, m) => {
    const donor = at(at(from.set.stages, m)!.blocks, n);
    if (donor === undefined) return null;
    return withBlocks(state, n, m, (blocks, old) => {
      if (old === undefined) return [undefined, [...blocks]];
      const rules = donor.rules.map((rule, r) => ({ ...rule, id: `${old.id}/r${r}` }));
      const after = { ...donor, id: old.id, rules };
      return [after, [...blocks.filter((one) => one !== old), after]];
    });
  },
};

/** Of two in one id the first counts from nothing, the last one told in an update. */
const isAlone = ({ set, inventory }: State): boolean => {
  const ids = [
    ...set.stages.flatMap(({ blocks }) => blocks.map(({ id }) => id)),
    ...inventory.workloads.map(({ id }) => id),
  ];
  return new Set(ids).size === ids.length;
};

describe("an estate", () => {
  it.each([
    ["addresses of one owner each", worldArbitrary, 150],
    ["addresses that several claim", contestedWorldArbitrary, 150],
  ])("says what the compiler says: %s", (_what, worlds, runs) => {
    const agrees = fc.property(worlds, moment, views, ({ set, inventory }, now, view) => {
      const estate = createEstate(set, inventory, { now, view });
      hold(estate, { set, inventory }, now, view, "");
    });
    expect(failureOf(agrees, runs)).toBe("");
  });

  it("reads no name of a port on a workload that a prefix holds", () => {
    const worlds = fc.tuple(worldArbitrary, fc.boolean()).map(([world, matchesWorkloads]) => {
      const peers = [{ kind: "cidr", cidr: "0.0.0.0/0", except: [], matchesWorkloads }] as const;
      const ports = [
        { kind: "named", protocol: 6, name: "http" },
        { kind: "range", protocol: 6, first: 9, last: 9 },
      ] as const;
      const stages = world.set.stages.map((stage) => ({
        ...stage,
        blocks: stage.blocks.map((block) => ({
          ...block,
          direction: "egress" as const,
          rules: block.rules.map((rule, at) => (at === 0 ? { ...rule, peers, ports } : rule)),
        })),
      }));
      return { ...world, set: { ...world.set, stages } };
    });
    const agrees = fc.property(worlds, ({ set, inventory }) => {
      const [now, view] = [MOMENTS[0], "shadow"] as const;
      hold(createEstate(set, inventory, { now, view }), { set, inventory }, now, view, "");
    });
    expect(failureOf(agrees, 60)).toBe("");
  });

  it("says after a change what it says from nothing, and tells what changed", () => {
    const happened = new Map<string, number>();
    let [kept, anew] = [0, 0];
    const steps = fc.array(
      fc.record({
        what: fc.constantFrom(...Object.keys(STEPS)),
        from: contestedWorldArbitrary,
        n: fc.nat(1000),
        m: fc.nat(1000),
      }),
      { minLength: 2, maxLength: 10 },
    );
    const same = fc.property(
      contestedWorldArbitrary,
      steps,
      moment,
      views,
      fc.constantFrom(undefined, 3),
      (first, changes, now, view, mostNewNumbers) => {
        let state: State = first;
        const remembering = mostNewNumbers === undefined ? {} : { mostNewNumbers };
        const estate = createEstate(first.set, first.inventory, { now, view }, remembering);
        for (const { what, from, n, m } of changes) {
          const step = STEPS[what]!(state, from, n, m);
          if (step === null || !isAlone(step.state)) continue;
          const before = [...estate.maps()].map((map) => [map, written(estate, map)] as const);
          const judges = judgesIn(estate, state.inventory);
          const { isAnew, maps, gone, subjects } = estate.update(step.change);
          state = step.state;
          hold(estate, state, now, view, `after ${what}`);
          happened.set(what, (happened.get(what) ?? 0) + 1);
          if (isAnew) {
            anew++;
            continue;
          }
          kept++;
          const after = new Set(estate.maps());
          for (const [map, said] of before) {
            if (!after.has(map) || maps.includes(map)) continue;
            const now_ = JSON.stringify(written(estate, map));
            claim(now_ === JSON.stringify(said), `a change was not told after ${what}`, said);
          }
          claim(!gone.some((map) => after.has(map)), `a map is gone and there after ${what}`);
          const moved = new Set(subjects);
          for (const [key, map] of judgesIn(estate, state.inventory)) {
            const address = key.slice(key.indexOf(" ") + 1);
            const isTold = (judges.get(key) ?? null) === map || moved.has(address);
            claim(isTold, `another judge was not told after ${what}`, key);
          }
        }
      },
    );
    expect(failureOf(same, 100)).toBe("");
    expect(Object.keys(STEPS).filter((what) => (happened.get(what) ?? 0) < enough(40))).toEqual([]);
    expect(kept).toBeGreaterThan(enough(200));
    expect(anew).toBeGreaterThan(enough(20));
  }, 120_000);
});

describe("a crowded namespace", () => {
  /** More groups and blocks than are gone through one after another, and some who are found by name only. */
  const pods = Array.from({ length: 60 }, (_, n) =>
    workload(`${n % 3 === 0 ? "ops" : n % 7 === 0 ? ":nodes" : "shop"}/w${n}`, `10.0.1.${n}`, {
      app: `a${n % 30}`,
      instance: `${n}`,
    }),
  );
  const app = (n: number, name = "shop") =>
    ({ ...chosen(`shop:app=a${n % 30}`), namespaces: { kind: "named", name } }) as const;
  const everybody = {
    kind: "workloads",
    namespaces: { kind: "all" },
    selector: { requirements: [] },
  } as const;
  const anywhere = (n: number): Extract<Peer, { kind: "workloads" }> => ({
    kind: "workloads",
    namespaces: { kind: "selected", selector: { requirements: [] } },
    selector: {
      requirements: [{ key: "app", operator: "In", values: [`a${n % 30}`, `a${(n + 1) % 30}`] }],
    },
  });
  const peersOf = (n: number): Peer =>
    [app(n * 7 + 1), anywhere(n), everybody, app(n, ":nodes")][n % 4]!;
  const blocks = Array.from({ length: 40 }, (_, n) =>
    block(`p${n}`, n % 2 === 0 ? "ingress" : "egress", `shop:app=a${(n * 3) % 30}`, [
      rule("allow", [peersOf(n)], [tcp(1000 + n)]),
      ...(n % 5 === 0 ? [rule("deny", [app(n + 2)], [tcp(1000 + n, 1010 + n)])] : []),
    ]),
  );
  const inShop = { ...everybody, namespaces: { kind: "named", name: "shop" } } as const;
  const wide = [
    block("shop", "ingress", inShop, [rule("allow", [app(4)], [tcp(7)])]),
    block("all", "ingress", { kind: "all-workloads" }, [rule("deny", [app(9)], [tcp(8)])]),
    block("some", "egress", anywhere(5), [rule("allow", [app(3, "ops")], [tcp(9)])]),
  ];
  const state: State = {
    set: nativeSet({ application: [...blocks, ...wide] }),
    inventory: inventory(pods),
  };

  it("says what the compiler says", () => {
    const estate = createEstate(state.set, state.inventory, { now: T0, view: "live" });
    expect(() => hold(estate, state, T0, "live", "")).not.toThrow();
  });

  it("still does when one after another is relabelled, comes and goes", () => {
    const estate = createEstate(state.set, state.inventory, { now: T0, view: "live" });
    let now = state;
    const stage = state.set.stages.find((one) => one.blocks.length > 0)!;
    for (let n = 0; n < 24; n++) {
      const old = now.inventory.workloads[(n * 11) % now.inventory.workloads.length]!;
      const relabelled = { ...old, labels: { ...old.labels, app: `a${(n * 13) % 30}` } };
      const step = withWorkload(now, relabelled);
      const before = blocks[n]!;
      const [first] = before.rules;
      const after = { ...before, rules: [{ ...first!, peers: [peersOf(n + 1)] }] };
      const change = n % 3 === 2 ? { stage: stage.id, before } : { stage: stage.id, before, after };
      const { isAnew } = estate.update({ ...step.change, blocks: [change] });
      expect(isAnew).toBe(false);
      const stages = step.state.set.stages.map((one) => ({
        ...one,
        blocks: one.blocks.flatMap((each) =>
          each.id !== before.id ? [each] : "after" in change ? [after] : [],
        ),
      }));
      now = { ...step.state, set: { ...step.state.set, stages } };
      if (n % 4 === 3) hold(estate, now, T0, "live", `after ${n}`);
    }
  });

  it("has nothing to say of processes, nor of a stage that is not there", () => {
    const process = { ...pods[0]!, kind: "process" as const, addresses: [], cgroup: "/a.slice" };
    const options = { now: T0, view: "live" } as const;
    expect(() => createEstate(state.set, inventory([process]), options)).toThrow(RangeError);
    const estate = createEstate(state.set, state.inventory, options);
    const blocksThere = [{ stage: "nowhere", after: blocks[0]! }];
    expect(() => estate.update({ blocks: blocksThere })).toThrow("there is no stage `nowhere`");
  });
});

function judgesIn(estate: Estate, inventory: Inventory): Map<string, ClusterMap | null> {
  const keys = [...addressesOf(inventory)].flatMap((address) =>
    DIRECTIONS.map((direction: Direction) => [address, direction] as const),
  );
  return new Map(
    keys.map(([address, direction]) => [
      `${direction} ${address}`,
      estate.mapOf(address, direction),
    ]),
  );
}
