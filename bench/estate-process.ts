/**
 * One measurement of `estate`, in a process of its own, so that neither memory nor compiled code is anybody else's. Prints
 * JSON.
 *
 *   estate-process.ts compile WORLD     the world is there; then, timed, every PolicyMap of it, once
 *   estate-process.ts change WORLD      the same, and then changes one by one
 *   estate-process.ts read WORLD        manifests as text to policy set and inventory
 */
import { createEstate, type Estate } from "@bulkhead/engine";
import {
  ALL_SELECT_ALL,
  AS_ANTREA,
  manifests,
  read,
  stamp,
  WEB_APP_DB,
  type Make,
  type World,
} from "./estate-world.ts";

const WORLDS: Readonly<Record<string, { readonly make: () => Make; readonly namespaces: number }>> =
  {
    shops: { make: () => WEB_APP_DB, namespaces: 25_000 },
    antrea: { make: () => AS_ANTREA, namespaces: 25_000 },
    all: { make: () => ALL_SELECT_ALL(10_000), namespaces: 1 },
    /** A tenth of `shops`: what reading costs grows with the documents. */
    part: { make: () => WEB_APP_DB, namespaces: 2500 },
  };
const CHANGES = 2000;
const MIB = 2 ** 20;

const timed = <T>(
  work: () => T,
): { readonly ms: number; readonly cpu: number; readonly value: T } => {
  const [start, before] = [performance.now(), process.cpuUsage()];
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - start, cpu: (user + system) / 1000, value };
};

const view = { now: 0, view: "live" } as const;

/** Entries of all maps, and that each of them can be looked into. */
function count(estate: Estate) {
  let [maps, entries] = [0, 0];
  for (const map of estate.maps()) {
    maps++;
    for (const { members } of map.hits) entries += members.length;
  }
  return { maps, entries, rows: estate.rows };
}

function compiled(world: World) {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed / MIB;
  const { ms, cpu, value: estate } = timed(() => createEstate(world.set, world.inventory, view));
  const peak = process.resourceUsage().maxRSS / 1024;
  const heap = process.memoryUsage().heapUsed / MIB;
  globalThis.gc?.();
  const kept = process.memoryUsage().heapUsed / MIB;
  return { estate, ms, cpu, peak, heap, world: before, kept, ...count(estate) };
}

function changes({ set, inventory }: World, estate: Estate) {
  const at = (n: number, length: number) => (n * 7919) % length;
  const [pods, policies]: [number[], number[]] = [[], []];
  const stage = set.stages.find(({ blocks }) => blocks.length > 0)!;
  const now = { workloads: [...inventory.workloads], blocks: [...stage.blocks] };
  for (let n = 0; n < CHANGES; n++) {
    const pod = at(n, now.workloads.length);
    const like = now.workloads[(pod + 3) % now.workloads.length]!;
    const old = now.workloads[pod]!;
    const workload = { ...old, labels: like.labels };
    now.workloads[pod] = workload;
    const relabelled = timed(() => estate.update({ workloads: [workload] }));
    if (relabelled.value.isAnew) throw new Error("a change of a pod made everything anew");
    pods.push(relabelled.ms * 1000);

    // A policy is a block a direction, and both are edited.
    const first = at(n, now.blocks.length);
    const name = now.blocks[first]!.id.split("#")[0]!;
    const mine = [first - 1, first, first + 1].filter(
      (i) => now.blocks[i]?.id.split("#")[0] === name,
    );
    const edits = mine.map((i) => {
      const before = now.blocks[i]!;
      const ports = [{ kind: "range", protocol: 6, first: 9000 + (n % 50), last: 9100 }] as const;
      const after = { ...before, rules: before.rules.map((rule) => ({ ...rule, ports })) };
      now.blocks[i] = after;
      return { stage: stage.id, before, after };
    });
    const edited = timed(() => estate.update({ blocks: edits }));
    if (edited.value.isAnew) throw new Error("a change of a policy made everything anew");
    policies.push(edited.ms * 1000);
  }
  const shares = (times: number[]) => {
    const sorted = times.toSorted((a, b) => a - b);
    const part = (share: number) => sorted[Math.floor(share * sorted.length)]!;
    return { p50: part(0.5), p99: part(0.99), longest: sorted.at(-1)! };
  };
  return { pods: shares(pods), policies: shares(policies) };
}

/** Places in files left out, for longer names move columns; and hashes in names of rules, which are of the namespace, too. */
function said({ set, inventory }: World): string {
  const byId = <T extends { readonly id: string }>(list: readonly T[]) =>
    list.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const stages = set.stages.map((stage) => ({ ...stage, blocks: byId(stage.blocks) }));
  const workloads = byId(inventory.workloads);
  return JSON.stringify(
    [
      { ...set, stages },
      { ...inventory, workloads },
    ],
    (key, value: unknown) => (key === "source" ? undefined : value),
  ).replaceAll(/r-[0-9a-f]{8}"/g, 'r-"');
}

const [role = "", name = ""] = process.argv.slice(2);
const { make, namespaces } = WORLDS[name]!;
if (role === "read") {
  const texts = manifests(make(), namespaces);
  const { ms, cpu } = timed(() => read(texts));
  console.log(
    JSON.stringify({
      ms,
      cpu,
      documents: namespaces * (1 + make().pods.length + make().policies.length),
    }),
  );
} else {
  for (const each of [WEB_APP_DB, AS_ANTREA]) {
    const [stamped, wanted] = [stamp(each, 3), read(manifests(each, 3))];
    if (said(stamped) !== said(wanted))
      throw new Error("what is stamped is not what would be read");
  }
  const world = stamp(make(), namespaces);
  const { estate, ...figures } = compiled(world);
  console.log(JSON.stringify({ ...figures, ...(role === "change" ? changes(world, estate) : {}) }));
}
