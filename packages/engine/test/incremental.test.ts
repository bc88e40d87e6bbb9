/** A compiler that remembers gives what one gives that begins from nothing, whatever happened before. */
import fc from "fast-check";
import { inspect, isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import type { Block, Inventory, MapSet, PolicySet, Workload } from "@bulkhead/model";
import {
  compileIndexed,
  createCompiler,
  indexInventory,
  isProcess,
  ownersOf,
  reindexInventory,
  type CompileOptions,
  type CompileResult,
  type InventoryIndex,
} from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import {
  ADDRESSES,
  contestedWorldArbitrary,
  endpointOf,
  localProcess,
  LOOPBACKS,
  MOMENTS,
  processWorldArbitrary,
  type World,
} from "./worlds.ts";

interface State extends World {
  readonly options: Omit<CompileOptions, "endpoints" | "processes">;
}

/** One thing is taken over from another world; which, and where to, the numbers say. */
type Step = (state: State, from: World, n: number, m: number) => State;

function inInventory(
  change: (inventory: Inventory, from: Inventory, n: number) => Inventory,
): Step {
  return (state, from, n) => ({
    ...state,
    inventory: change(state.inventory, from.inventory, n),
  });
}

function inBlocks(
  change: (blocks: readonly Block[], from: readonly Block[], n: number) => Block[],
): Step {
  return ({ set, ...state }, from, n, m) => {
    const at = m % set.stages.length;
    const donors = from.set.stages.at(m % from.set.stages.length)!.blocks;
    const stages = set.stages.map((stage, i) =>
      i === at ? { ...stage, blocks: change(stage.blocks, donors, n) } : stage,
    );
    return { ...state, set: { ...set, stages } };
  };
}

/** A process of each side, if both have one. */
function inProcesses(change: (process: Workload, other: Workload) => Workload): Step {
  return inInventory((inventory, from, n) => {
    const [old] = at(inventory.workloads.filter(isProcess), n);
    const [other] = at(from.workloads.filter(isProcess), n);
    if (old === undefined || other === undefined) return inventory;
    return {
      ...inventory,
      workloads: [...without(inventory.workloads, old), change(old, other)],
    };
  });
}

const at = <T>(list: readonly T[], n: number): T[] =>
  list.slice(n % (list.length || 1)).slice(0, 1);
const without = <T>(list: readonly T[], gone: T | undefined) => list.filter((one) => one !== gone);
const isAlone = ({ stages }: PolicySet) => {
  const ids = stages.flatMap(({ blocks }) => blocks.map(({ id }) => id));
  return new Set(ids).size === ids.length;
};

const STEPS: Readonly<Record<string, Step>> = {
  "a workload comes, or another takes its name": inInventory((inventory, from, n) => {
    const taken = at(from.workloads, n);
    const others = inventory.workloads.filter(({ id }) => id !== taken[0]?.id);
    return { ...inventory, workloads: [...others, ...taken] };
  }),
  "a workload goes": inInventory((inventory, _, n) => {
    const [gone] = at(inventory.workloads, n);
    return { ...inventory, workloads: without(inventory.workloads, gone) };
  }),
  "a workload is relabelled": inInventory((inventory, from, n) => {
    const [old] = at(inventory.workloads, n);
    const relabelled = at(from.workloads, n).flatMap(({ labels, namedPorts }) =>
      old === undefined ? [] : [{ ...old, labels, namedPorts }],
    );
    return { ...inventory, workloads: [...without(inventory.workloads, old), ...relabelled] };
  }),
  "a workload has other addresses": inInventory((inventory, from, n) => {
    const [old] = at(inventory.workloads, n);
    const moved = at(from.workloads, n).flatMap(({ addresses }) =>
      old === undefined ? [] : [{ ...old, addresses }],
    );
    return { ...inventory, workloads: [...without(inventory.workloads, old), ...moved] };
  }),
  "a process is relabelled": inProcesses((process, { labels, namedPorts }) => ({
    ...process,
    labels,
    namedPorts,
  })),
  "a process has other sockets": inProcesses((process, { sockets }) => ({ ...process, sockets })),
  "all processes go": inInventory((inventory) => ({
    ...inventory,
    workloads: inventory.workloads.filter((workload) => !isProcess(workload)),
  })),
  "processes are found": (state) => ({
    ...state,
    processes: state.inventory.workloads.flatMap(localProcess),
  }),
  "namespaces are relabelled": inInventory((inventory, { namespaces }) => ({
    ...inventory,
    namespaces,
  })),
  "the host has other addresses": inInventory((inventory, from, n) => ({
    ...inventory,
    hostAddresses: n % 2 === 0 ? at(inventory.hostAddresses, n) : from.hostAddresses,
  })),
  "endpoints move": (state, { endpoints }) => ({
    ...state,
    endpoints,
    inventory: { ...state.inventory, attachments: endpoints },
  }),
  "everybody is attached": (state) => ({
    ...state,
    endpoints: state.inventory.workloads.filter((workload) => !isProcess(workload)).map(endpointOf),
  }),
  "a block comes, or says something else": inBlocks((blocks, donors, n) => {
    const taken = at(donors, n);
    return [...blocks.filter(({ id }) => id !== taken[0]?.id), ...taken];
  }),
  "a block goes": inBlocks((blocks, _, n) => without(blocks, at(blocks, n)[0])),
  "a block is staged, or put in force": inBlocks((blocks, _, n) =>
    blocks.map((block, i) =>
      i === n % blocks.length
        ? { ...block, enforce: block.enforce === "on" ? "staged" : "on" }
        : block,
    ),
  ),
  "a line moves": inBlocks((blocks) =>
    blocks.map((block) => ({
      ...block,
      source: { ...block.source, line: block.source.line + 1 },
      rules: block.rules.map((rule) => ({ ...rule, source: block.source })),
    })),
  ),
  "all policies change": (state, { set }) => ({ ...state, set }),
  "the profile changes": ({ set, ...state }, from) => ({
    ...state,
    set: { ...set, profile: from.set.profile },
  }),
  "a rollout begins, or ends": ({ set, ...state }, _, n) => {
    const inRollout = (block: Block, b: number): Block =>
      (n + b) % 2 === 0 ? { ...block, canary: true } : block;
    return {
      ...state,
      set: {
        ...set,
        canary: set.canary === undefined ? { seed: 1 + n, share: 1 + (n % 9999) } : undefined,
        stages: set.stages.map((stage) => ({ ...stage, blocks: stage.blocks.map(inRollout) })),
      },
    };
  },
  "time passes, or is set back": ({ options, ...state }, _, n) => ({
    ...state,
    options: { ...options, now: MOMENTS[n % MOMENTS.length]! },
  }),
  "a revision is told, and nothing else": ({ options, ...state }, _, n) => ({
    ...state,
    options: { ...options, revision: n },
  }),
};

const steps = fc.array(
  fc.record({
    what: fc.constantFrom(...Object.keys(STEPS)),
    from: fc.oneof(contestedWorldArbitrary, processWorldArbitrary),
    n: fc.nat(1000),
    m: fc.nat(1000),
  }),
  { minLength: 2, maxLength: 12 },
);

const start = fc.oneof(contestedWorldArbitrary, processWorldArbitrary).map((world): State => ({
  ...world,
  options: { now: MOMENTS[1], revision: 1 },
}));

/** Whatever in a policy is a set of maps, by name. */
function mapSets({ policy }: CompileResult): [string, MapSet][] {
  return Object.entries({ ...policy, ...policy.canary }).filter(
    (entry): entry is [string, MapSet] =>
      typeof entry[1] === "object" && Object.hasOwn(entry[1], "subjects"),
  );
}

function holdIndex(got: InventoryIndex, wanted: InventoryIndex): void {
  const parts = ({
    workloads,
    known,
    loopback,
    contested,
    at,
    namespaceLabels,
  }: InventoryIndex) => ({
    workloads: [...workloads],
    known,
    loopback,
    contested,
    places: [...ADDRESSES, ...LOOPBACKS].map(at),
    namespaces: ["a", "b", "c", "d"].map(namespaceLabels),
  });
  const [one, other] = [parts(got), parts(wanted)];
  claim(isDeepStrictEqual(one, other), `the index differs: ${inspect([one, other], { depth: 5 })}`);
}

/** Of what says the same as before nothing is built again. */
function holdPlaces(before: InventoryIndex, after: InventoryIndex): void {
  for (const place of after.known) {
    const old = before.at(place.address);
    const owners = [old, place].map((one) => [
      ...ownersOf(one),
      ...one.sockets.flatMap((socket) => socket.owners),
    ]) as [Workload[], Workload[]];
    const alike =
      before.known.includes(old) && owners[0].every((owner, i) => owner === owners[1][i]);
    const same = alike && isDeepStrictEqual(old, place);
    claim(!same || old === place, "an equal place is another object", place.address);
  }
}

let processTables = 0;

/** Whatever is equal is the same object; how much of it there was. */
function sharedParts(before: CompileResult, after: CompileResult): number {
  let shared = 0;
  const hold = (what: string, was: unknown, is: unknown) => {
    claim(was === is || !isDeepStrictEqual(was, is), `an equal ${what} is another object`, is);
    if (was === is) shared++;
  };
  const sets = new Map(mapSets(before));
  for (const [name, maps] of mapSets(after)) {
    const old = sets.get(name);
    hold("set of maps", old, maps);
    hold("table of subjects", old?.subjects.ingress, maps.subjects.ingress);
    if (maps.processes !== undefined) processTables++;
    for (const map of maps.maps) {
      const was = old?.maps.find(({ classId }) => classId === map.classId);
      if (was !== undefined) hold("map", was, map);
    }
  }
  return shared;
}

describe("an update", () => {
  it("gives what compile gives, and what is equal to before is the same object", () => {
    const happened = new Map<string, number>();
    let shared = 0;
    const same = fc.property(start, steps, fc.boolean(), (first, changes, forgetful) => {
      const compiler = forgetful ? createCompiler({ mostNewNumbers: 3 }) : createCompiler();
      let state: State = first;
      let before: CompileResult | undefined;
      let index = indexInventory(state.inventory);
      for (const { what, from, n, m } of [undefined, ...changes].map(
        (step) => step ?? { what: "", from: first, n: 0, m: 0 },
      )) {
        const next = STEPS[what]?.(state, from, n, m) ?? state;
        if (!isAlone(next.set)) continue;
        if (next.inventory !== state.inventory) {
          const indexBefore = index;
          const reindexed = reindexInventory(next.inventory, indexBefore);
          index = n % 3 === 0 ? indexInventory(next.inventory) : reindexed;
          holdIndex(reindexed, indexInventory(next.inventory));
          holdPlaces(indexBefore, reindexed);
        }
        state = next;
        const { set, options, endpoints, processes } = state;
        const all = { ...options, endpoints, processes };
        const got = compiler.update(set, index, all);
        const wanted = compileIndexed(set, index, all);
        claim(isDeepStrictEqual(got, wanted), `after ${what}`, { got, wanted });
        if (before !== undefined) shared += sharedParts(before, got);
        before = got;
        happened.set(what, (happened.get(what) ?? 0) + 1);
      }
    });
    expect(failureOf(same, 140)).toBe("");
    expect(Object.keys(STEPS).filter((what) => (happened.get(what) ?? 0) < enough(30))).toEqual([]);
    expect(shared).toBeGreaterThan(enough(1500));
    expect(processTables).toBeGreaterThan(enough(300));
  }, 120_000);
});
