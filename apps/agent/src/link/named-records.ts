/** Flow records with the names that their ends had for each other from DNS, as they were when the flow was seen. */
import type { IpAddress } from "@bulkhead/model";
import type { ObservedRecord } from "@bulkhead/wire";
import type { NameClient, NameTable } from "../dns/index.ts";
import type { Attached } from "./agent-parts.ts";

export const LOOPBACK: readonly IpAddress[] = ["127.0.0.1", "::1"];

/** Whoever asks DNS: each network namespace, and the machine. */
export function nameClients({ endpoints, hostAddresses }: Attached): readonly NameClient[] {
  const workloads = new Map<string, IpAddress[]>();
  for (const { kind, name, netnsPath, addresses } of endpoints) {
    const key = `${kind}:${name} ${netnsPath}`;
    workloads.set(key, [...(workloads.get(key) ?? []), ...addresses]);
  }
  return [
    ...[...workloads].map(([key, addresses]) => ({ key, addresses })),
    { key: "host", addresses: [...hostAddresses, ...LOOPBACK] },
  ];
}

export function withNames(record: ObservedRecord, names: NameTable): ObservedRecord {
  const { source, destination, end } = record;
  const begins = record.connections > 0;
  const destinationNames = names.namesOf(source, destination, end, begins);
  const sourceNames = names.namesOf(destination, source, end, begins);
  if (destinationNames === undefined && sourceNames === undefined) return record;
  return {
    ...record,
    ...(sourceNames === undefined ? {} : { sourceNames }),
    ...(destinationNames === undefined ? {} : { destinationNames }),
  };
}
