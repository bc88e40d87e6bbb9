/**
 * An Inventory of everybody who is known on a machine, as they are there: with it, and the same policies, the same is decided
 * without the machine, in CI say. It stands for what the agent sees, and so in place of Inventories by hand.
 */
import { formatResolver, printResources } from "@bulkhead/dialects";
import {
  API_VERSION,
  formatProtocol,
  isReservedLabel,
  type InventoryManifest,
  type IpAddress,
  type Labels,
  type OwnedSocket,
  type Profile,
  type WorkloadKind,
} from "@bulkhead/model";

export interface ExportedWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly kind: WorkloadKind;
  readonly labels: Labels;
  readonly addresses: readonly IpAddress[];
  readonly namedPorts?:
    | readonly { readonly name: string; readonly protocol: number; readonly port: number }[]
    | undefined;
  readonly cgroup?: string | undefined;
  readonly sockets?:
    | readonly (Omit<OwnedSocket, "address"> & { readonly address?: string | undefined })[]
    | undefined;
}

export interface ExportInput {
  readonly workloads: readonly ExportedWorkload[];
  readonly namespaces: readonly { readonly name: string; readonly labels: Labels }[];
  readonly hostAddresses: readonly IpAddress[];
  readonly profile: Pick<Profile, "nodeExempt" | "hairpinExempt" | "dhcp" | "dns">;
}

type Entry = NonNullable<InventoryManifest["spec"]["workloads"]>[number];
type Words = "tcp" | "udp" | "sctp";

export function inventoryExport({
  workloads,
  namespaces,
  hostAddresses,
  profile,
}: ExportInput): string {
  const { nodeExempt, hairpinExempt, dhcp, dns } = profile;
  const manifest: InventoryManifest = {
    apiVersion: API_VERSION,
    kind: "Inventory",
    metadata: { name: "exported" },
    spec: {
      ...(namespaces.length === 0
        ? {}
        : { namespaces: namespaces.map(({ name, labels }) => ({ name, labels })) }),
      workloads: workloads.flatMap(entryOf),
      machine: {
        nodeExempt,
        hairpinExempt,
        addresses: hostAddresses,
        ...(dhcp === undefined ? {} : { dhcp }),
        ...(dns === undefined ? {} : { dns: dns.map(formatResolver) }),
      },
    },
  };
  const text =
    "Everybody who is known on this machine, as bulkhead saw them. For deciding elsewhere: give it with the policies, instead of Inventories of your own.";
  return printResources([{ manifest, comments: [{ path: [], text }] }]);
}

/** A cluster's nodes, and labels that the cluster gives, are not for Inventories to say. */
function entryOf(workload: ExportedWorkload): Entry[] {
  const { name, namespace, kind, addresses, namedPorts = [], cgroup, sockets } = workload;
  if (kind === "node") return [];
  const labels = Object.fromEntries(
    Object.entries(workload.labels).filter(([key]) => !isReservedLabel(key)),
  );
  const common = {
    name,
    namespace,
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(namedPorts.length === 0
      ? {}
      : {
          ports: namedPorts.map(({ name: called, port, protocol }) => ({
            name: called,
            port,
            ...wordOf(protocol),
          })),
        }),
  };
  if (kind !== "process") return [{ ...common, addresses, kind }];
  // A unit that has never been seen has no group, and nothing that anybody could ask about.
  if (cgroup === undefined) return [{ ...common, addresses: [], kind: "external" }];
  const own =
    sockets === undefined || sockets.length === 0 ? {} : { sockets: sockets.map(socketOf) };
  return [{ ...common, unit: cgroup, ...own }];
}

/** A wildcard of one family is what is bound to that family's unspecified address. */
function socketOf({
  address,
  family,
  protocol,
  port,
}: NonNullable<ExportedWorkload["sockets"]>[number]) {
  const any = family === 4 ? "0.0.0.0" : "::";
  return { port, ...wordOf(protocol), address: address ?? any };
}

function wordOf(protocol: number): { readonly protocol?: Words } {
  const word = formatProtocol(protocol);
  return word === "udp" || word === "sctp" ? { protocol: word } : {};
}
