/**
 * Processes of this machine as ends of probes: who stands for whom, where each is called, and from where it calls. Two are alike
 * when every selector of the policy treats them alike, whatever else their labels say.
 */
import { isProcess } from "@bulkhead/engine";
import {
  familyOf,
  parseIp,
  TCP,
  UDP,
  type IpAddress,
  type PolicySet,
  type Workload,
} from "@bulkhead/model";
import type { Listener } from "@bulkhead/wire";
import { selects } from "../queries/workloads.ts";
import { isLinkLocal, type World } from "../world/world.ts";
import type { ProbeEnd } from "./candidates.ts";

const LOOPBACK: readonly IpAddress[] = ["127.0.0.1", "::1"];

/** Those that run before those that do not, so many of each group. */
export function representativeProcesses(
  set: PolicySet,
  world: World,
  most: number,
): readonly Workload[] {
  const taken = new Map<string, number>();
  return world.inventory.workloads
    .filter((workload) => isProcess(workload) && workload.cgroup !== undefined)
    .toSorted((a, b) => Number(isRunning(b, world)) - Number(isRunning(a, world)))
    .filter((workload) => {
      const group = groupOf(workload, set, world);
      const count = taken.get(group) ?? 0;
      taken.set(group, count + 1);
      return count < most;
    });
}

const isRunning = ({ id }: Workload, world: World): boolean =>
  world.units.get(id)?.some(({ gone }) => gone !== true) === true;

/** Which selectors choose it. */
function groupOf(workload: Workload, { stages }: PolicySet, world: World): string {
  const hits = stages
    .flatMap(({ blocks }) => blocks)
    .flatMap(({ subject, rules }) => [
      selects({ subject }, workload, world),
      ...rules
        .flatMap(({ peers }) => peers)
        .map((peer) => peer.kind === "workloads" && selects({ subject: peer }, workload, world)),
    ]);
  return `process ${hits.map(Number).join("")}`;
}

/** As sources, one for each family that the machine has an address of; from which one is chosen for each destination. */
export function callersOf(set: PolicySet, world: World, workload: Workload): readonly ProbeEnd[] {
  const { id: name, cgroup } = workload;
  const own = world.inventory.hostAddresses.filter((address) => !isLinkLocal(address));
  return ([4, 6] as const).flatMap((family) => {
    const address = own.find((one) => familyOf(one) === family);
    if (address === undefined || cgroup === undefined) return [];
    const group = groupOf(workload, set, world);
    const end: ProbeEnd = { name, address, family, netnsPath: "", cgroup, group, listeners: [] };
    return [isRunning(workload, world) ? end : { ...end, stopped: true }];
  });
}

/** As destinations: at the machine's first address of each family, and wherever else they wait. */
export function calledOf(set: PolicySet, world: World, workload: Workload): readonly ProbeEnd[] {
  const { cgroup, sockets = [] } = workload;
  const open = sockets.filter(({ protocol }) => protocol === TCP || protocol === UDP);
  const bound = open.flatMap(({ address }) => (address === undefined ? [] : [address]));
  return callersOf(set, world, workload).flatMap((end) => {
    const places = new Set([end.address, ...bound.filter((one) => familyOf(one) === end.family)]);
    return [...places].map((address): ProbeEnd => {
      const listeners = open
        .filter((one) => one.family === end.family && (one.address ?? address) === address)
        .map(({ protocol, port, family }): Listener => ({ protocol, port, family }));
      return { ...end, address, listeners, ...(cgroup === undefined ? {} : { cgroup }) };
    });
  });
}

export const isLoopback = (address: IpAddress): boolean =>
  address === "::1" || address.startsWith("127.");

/** The machine's own address that it speaks from to another one, as far as can be told from here: the one most alike. */
export function towards(world: World, destination: IpAddress, family: 4 | 6): IpAddress {
  const own = world.inventory.hostAddresses.filter(
    (address) => familyOf(address) === family && !isLinkLocal(address),
  );
  if (isLoopback(destination)) return LOOPBACK.find((one) => familyOf(one) === family)!;
  const value = (address: IpAddress): bigint => parseIp(address)?.value ?? 0n;
  const unlike = (address: IpAddress): bigint => value(address) ^ value(destination);
  return own.reduce((best, one) => (unlike(one) < unlike(best) ? one : best), own[0]!);
}
