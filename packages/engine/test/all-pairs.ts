/** Every pair of ends that policies speak of, asked one by one: the plain way, for holding the ways over sets to it. */
import {
  parseIp,
  rangeContains,
  type FlowQuery,
  type IpAddress,
  type PolicySet,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { decide, isProcess, type InventoryIndex, type ReachEnd } from "../src/index.ts";
import { ADDRESSES, NOW } from "./worlds.ts";

export type Ports = Pick<FlowQuery, "protocol" | "port">;

const family = (address: IpAddress) => parseIp(address)!.family;

export interface Asked {
  readonly end: ReachEnd | IpAddress;
  readonly addresses: IpAddress[];
  readonly process?: WorkloadId;
}

/** The ends that policies speak of: workloads with all their addresses, the host and its processes, addresses of the world. */
export function endsOf(index: InventoryIndex): Asked[] {
  const host = ADDRESSES.filter((address) => index.at(address).kind === "host");
  const owned = (workload: Workload) =>
    workload.addresses.filter((address) => index.at(address).workload === workload);
  return [
    ...[...index.workloads.values()]
      .filter((workload) => owned(workload).length > 0)
      .map((workload) => ({
        end: { kind: "workload" as const, workload: workload.id },
        addresses: owned(workload),
      })),
    ...[...index.workloads.values()].filter(isProcess).map(({ id }) => ({
      end: { kind: "workload" as const, workload: id },
      addresses: host,
      process: id,
    })),
    { end: { kind: "host" }, addresses: host },
    ...ADDRESSES.filter((address) => index.at(address).kind === "world").map((address) => ({
      end: address,
      addresses: [address],
    })),
  ];
}

export function isEnd(end: ReachEnd, wanted: ReachEnd | IpAddress): boolean {
  if (typeof wanted === "string") {
    return end.kind === "world" && rangeContains(end.range, parseIp(wanted)!);
  }
  if (end.kind === "workload")
    return wanted.kind === "workload" && wanted.workload === end.workload;
  return end.kind === wanted.kind && end.kind === "host";
}

export function allows(
  set: PolicySet,
  index: InventoryIndex,
  from: Asked,
  to: Asked,
  ports: Ports,
): boolean {
  const who = {
    ...(from.process === undefined ? {} : { sourceProcess: from.process }),
    ...(to.process === undefined ? {} : { destinationProcess: to.process }),
  };
  return from.addresses.some((source) =>
    to.addresses.some(
      (destination) =>
        family(source) === family(destination) &&
        decide(set, index, { source, destination, ...ports, ...who }, { now: NOW, view: "live" })
          .verdict === "allow",
    ),
  );
}

export function* askable(index: InventoryIndex) {
  const ends = endsOf(index);
  for (const from of ends) {
    for (const to of ends) {
      const concerned = [from, to].some(
        ({ end }) => typeof end !== "string" && end.kind === "workload",
      );
      if (concerned && from !== to) yield { from, to };
    }
  }
}
