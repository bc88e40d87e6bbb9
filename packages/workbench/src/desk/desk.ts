/**
 * A folder of files as something to ask questions of: resources, policy set, who is there and at which addresses. What
 * every offline verb begins with. Texts go in, whoever read them; nothing is thrown for bad input, all of it is told.
 */
import {
  buildPolicySet,
  parseFiles,
  stageAudited,
  type BuiltPolicy,
  type DeclaredInventory,
  type ParsedFiles,
  type Resource,
  type SourceFile,
  type TextLimits,
} from "@bulkhead/dialects";
import { indexInventory, type InventoryIndex } from "@bulkhead/engine";
import {
  cidrRange,
  compareDiagnostics,
  hostCidr,
  type Diagnostic,
  type IpAddress,
  type PolicySet,
  type Workload,
  type WorkloadId,
} from "@bulkhead/model";
import { readHeld, type HeldFiles } from "./held.ts";
import { namedRanges, standIns } from "./stand-in-addresses.ts";

/**
 * Pods on their node's network: `node`, no selector finds them and they speak with the node's addresses (what most
 * implementations do, and what ours does); or `pod`, they are pods like others. Kubernetes leaves both open.
 */
export type HostNetworkReading = "node" | "pod";

export interface DeskOptions {
  /** Milliseconds since the epoch; decides what has expired. */
  readonly now: number;
  /** Does a Kubernetes ipBlock hold addresses of pods and nodes? (SEMANTICS trap 5; implementations differ.) */
  readonly ipBlockMatchesWorkloads?: boolean;
  /** `node` unless said otherwise. */
  readonly hostNetwork?: HostNetworkReading;
  readonly limits?: TextLimits;
  /** Where files hold what is in force: it is built as it is for a kernel, and each resource counts in its mode. */
  readonly held?: HeldFiles;
  /** What of the files does not count, since others know better. */
  readonly leaveOut?: (resource: Resource) => boolean;
  /** `false`: without the guard of metadata addresses that our own policies have; for comparing what is written down. */
  readonly metadataGuard?: false;
}

/** Who is there, and where. */
export interface Seats {
  /** Every workload of the files, on its node's network or not, by id; as the files declare it. */
  readonly workloads: ReadonlyMap<WorkloadId, Workload>;
  /** For the engine: who has no address in the files has stand-ins here, never to be printed. */
  readonly index: InventoryIndex;
  /** Of one on its node's network, and of a process of the machine: the node's, the machine's. Empty: unknown workload. */
  addressesOf(workload: WorkloadId): readonly IpAddress[];
  /** Of a pod on its node's network, where the files have that node: it is who the node is. */
  nodeOf(workload: WorkloadId): WorkloadId | undefined;
  readonly isStandIn: (address: IpAddress) => boolean;
}

export interface Desk extends Seats {
  readonly files: readonly SourceFile[];
  /** What is sound of them. */
  readonly resources: readonly Resource[];
  readonly built: BuiltPolicy;
  readonly set: PolicySet;
  /** As if these were there besides. */
  withOthers(others: Pick<DeclaredInventory, "workloads" | "namespaces">): Seats;
  /** As if these files were there besides, read as these were. */
  withFiles(more: readonly SourceFile[]): Desk;
  /** Of parsing and building, sorted by place. With an error among them a resource is missing, and answers may be wrong. */
  readonly diagnostics: readonly Diagnostic[];
}

export function openDesk(files: readonly SourceFile[], options: DeskOptions): Desk {
  const { held, limits } = options;
  const parsed =
    held === undefined
      ? { ...parseFiles(files, { strangers: "left", ...(limits && { limits }) }), audited: NONE }
      : readHeld(files, held, limits);
  const leaveOut = options.leaveOut ?? (() => false);
  const resources = parsed.resources.filter((resource) => !leaveOut(resource));
  return deskOf(files, { ...parsed, resources }, options);
}

/** Of what was read already; `files` are for showing places. */
export function deskOf(
  files: readonly SourceFile[],
  parsed: Pick<ParsedFiles, "resources" | "diagnostics"> & {
    readonly audited?: ReadonlySet<string>;
  },
  options: DeskOptions,
): Desk {
  const { held } = options;
  const { resources } = parsed;
  const built = buildPolicySet(resources, {
    now: options.now,
    strict: false,
    mode: "enforce",
    ...(options.ipBlockMatchesWorkloads === undefined
      ? {}
      : { ipBlockMatchesWorkloads: options.ipBlockMatchesWorkloads }),
    // Whoever enforces other people's policies keeps no metadata addresses shut; a document of ours beside them changes nothing.
    ...(held === undefined
      ? { target: "desk", metadataGuard: options.metadataGuard ?? "native" }
      : {}),
  });
  const set = stageAudited(built.set, parsed.audited ?? NONE);
  const { inventory } = built;
  const reading = { hostNetwork: options.hostNetwork ?? "node", isHeld: held !== undefined };
  return {
    files,
    resources,
    built,
    set,
    ...seat(inventory, set, reading),
    withOthers: (others) => {
      const together = {
        ...inventory,
        workloads: [...inventory.workloads, ...others.workloads],
        namespaces: [...inventory.namespaces, ...others.namespaces],
      };
      return seat(together, set, reading);
    },
    withFiles: (more) => {
      const read = parseFiles(more, { strangers: "left" });
      const together = {
        ...parsed,
        resources: [...resources, ...read.resources],
        diagnostics: [...parsed.diagnostics, ...read.diagnostics],
      };
      return deskOf([...files, ...more], together, options);
    },
    diagnostics: [...parsed.diagnostics, ...built.diagnostics].toSorted(compareDiagnostics),
  };
}

const NONE: ReadonlySet<string> = new Set();

interface Reading {
  readonly hostNetwork: HostNetworkReading;
  readonly isHeld: boolean;
}

/** Gives everybody an address. */
function seat(
  inventory: DeclaredInventory,
  set: PolicySet,
  { hostNetwork, isHeld }: Reading,
): Seats {
  const workloads = new Map(inventory.workloads.map((one) => [one.id, one]));
  const onNode = (one: Workload): boolean => one.hostNetwork && hostNetwork === "node";
  const apart = inventory.workloads.filter((one) => !onNode(one));
  const isKnownNode = (id: WorkloadId): boolean => workloads.get(id)?.kind === "node";
  const nodeOf = (one: Workload): WorkloadId | undefined =>
    onNode(one) && one.node !== undefined && isKnownNode(one.node) ? one.node : undefined;
  const claims = new Map<IpAddress, number>();
  for (const address of apart.flatMap(({ addresses, hostNetwork: shared }) =>
    shared ? [] : addresses,
  )) {
    claims.set(address, (claims.get(address) ?? 0) + 1);
  }
  // A snapshot may name an address twice, for a pod that left and one that came; the names tell them apart here. On a machine
  // both claim it, and what any of them would be denied is denied.
  const own = (one: Workload): readonly IpAddress[] =>
    one.hostNetwork ? [] : one.addresses.filter((address) => isHeld || claims.get(address) === 1);
  const isProcess = (one: Workload): boolean => one.kind === "process";
  const lacking = apart.filter((one) => !isProcess(one) && own(one).length === 0);
  const atHost = inventory.workloads.some(
    (one) => (onNode(one) && nodeOf(one) === undefined) || isProcess(one),
  );
  const hostLacks = atHost && inventory.hostAddresses.length === 0;

  const known = [...claims.keys(), ...inventory.hostAddresses].map((address) =>
    cidrRange(hostCidr(address)),
  );
  const named = [...namedRanges([set]), ...known];
  const count = lacking.length + (hostLacks ? 1 : 0);
  const [four, six] = [standIns(4, count, named), standIns(6, count, named)];
  const pair = (at: number): readonly IpAddress[] => [four[at]!, six[at]!];
  const given = new Map(lacking.map(({ id }, at) => [id, pair(at)]));
  const hostAddresses = hostLacks ? pair(lacking.length) : inventory.hostAddresses;
  const index = indexInventory({
    workloads: apart.map((one) => ({
      ...one,
      hostNetwork: false,
      addresses: given.get(one.id) ?? own(one),
    })),
    namespaces: inventory.namespaces,
    hostAddresses,
  });
  const made = new Set([...four, ...six]);
  return {
    workloads,
    index,
    addressesOf(id) {
      const one = workloads.get(id);
      if (one === undefined) return [];
      const node = nodeOf(one);
      if (node !== undefined) return index.workloads.get(node)!.addresses;
      return onNode(one) || isProcess(one) ? hostAddresses : index.workloads.get(id)!.addresses;
    },
    nodeOf: (id) => {
      const one = workloads.get(id);
      return one && nodeOf(one);
    },
    isStandIn: (address) => made.has(address),
  };
}
