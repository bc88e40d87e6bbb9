/**
 * Workloads and where they attach to the network. A workload's labels come from an authority (an operator's
 * Inventory, a container runtime, Kubernetes), never from the workload's own word.
 */
import type { IpAddress, IpFamily } from "./ip.ts";
import type { Labels } from "./labels.ts";
import type { ProtocolNumber } from "./protocol.ts";
import type { SourceSpan } from "./diagnostic.ts";

/** `namespace/name`, unique in one inventory. */
export type WorkloadId = string;

/** A workload in `observe` is not evaluated, in `audit` evaluated and logged, in `enforce` confined. */
export type Mode = "observe" | "audit" | "enforce";

export interface NamedPort {
  readonly name: string;
  readonly protocol: ProtocolNumber;
  readonly port: number;
}

export type WorkloadKind =
  | "netns"
  | "container"
  | "pod"
  | "vm"
  | "host"
  /** A machine of a cluster, in namespace `:nodes`. */
  | "node"
  | "external"
  /** Processes of the machine itself, told apart by their control group: a systemd unit, a user's slice. */
  | "process";

/** Where a cluster's nodes live. No namespace may be called so, and no selector of namespaces finds it. */
export const NODES_NAMESPACE = ":nodes";

/**
 * Nobody can give a namespace such a name. What lives there are no workloads of anybody's, such as a cluster's nodes: they
 * are chosen by this very name, and by nothing that speaks of all namespaces.
 */
export const isReservedNamespace = (name: string): boolean => name.startsWith(":");

/** From the root of the control groups that the agent sees: `/system.slice/nginx.service`. Version 2 of the hierarchy only. */
export type CgroupPath = string;

// oxlint-disable-next-line no-control-regex
const PLAIN_CGROUP = /^(?:\/(?!\.{1,2}(?:\/|$))[^/"\u0000-\u001f\u007f\ud800-\udfff\ufffd]+)+$/u;

/** Can rules name this control group? Whoever may make one below their own may give it nearly any bytes for a name. */
export const isPlainCgroup = (path: CgroupPath): boolean =>
  path.length <= 2048 && PLAIN_CGROUP.test(path);

/** Whose level is 1 lies below the root. */
export const cgroupLevel = (path: CgroupPath): number => path.split("/").length - 1;

/** Not what systemd-run made up, nor an instance for one connection: those are named anew each time. */
export const comesBack = (unit: string): boolean => !/^run-|@\d+-/.test(unit);

/** A socket that waits for connections on the machine's addresses, and so tells whose a shared address is at that port. */
export interface OwnedSocket {
  /** Absent: every address of the machine in this family, loopback included. */
  readonly address?: IpAddress;
  readonly family: IpFamily;
  readonly protocol: ProtocolNumber;
  readonly port: number;
}

export interface Workload {
  readonly id: WorkloadId;
  readonly namespace: string;
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly labels: Labels;
  /** All addresses, both families, canonical, sorted. */
  readonly addresses: readonly IpAddress[];
  readonly namedPorts: readonly NamedPort[];
  /** Shares its node's addresses: never a subject or peer by selector (SEMANTICS trap 6). */
  readonly hostNetwork: boolean;
  /** Where its processes are, and only of kind `process`: it owns no address, it shares the machine's (docs/decisions/0061). */
  readonly cgroup?: CgroupPath;
  /** Of kind `process`: the sockets that are its own, sorted by port. Nobody else's claim to the same one is believed. */
  readonly sockets?: readonly OwnedSocket[];
  /** The node that it runs on, where that is told. */
  readonly node?: WorkloadId;
  /** The controller object that made it (`Deployment/shop`), for grouping and output. */
  readonly owner?: { readonly kind: string; readonly name: string };
  /** Where its labels were declared, if a file did. */
  readonly source?: SourceSpan;
}

/** Labels of a namespace (`kubernetes.io/metadata.name` is added when absent, as Kubernetes does). */
export interface Namespace {
  readonly name: string;
  readonly labels: Labels;
}

/** Everything `decide` and `compile` know of the world. Addresses that no workload or host owns are `world`. */
export interface Inventory {
  readonly workloads: readonly Workload[];
  readonly namespaces: readonly Namespace[];
  /** Addresses of the machine (or node) itself: entity `host`. */
  readonly hostAddresses: readonly IpAddress[];
  /** Where workloads hang on this machine's network: what is declared by interface is looked up here. */
  readonly attachments?: readonly Attachment[];
  /** What workloads that are declared by netns, container or unit were called before anybody had declared them, and who each is. */
  readonly foundAs?: ReadonlyMap<WorkloadId, WorkloadId>;
}

export type Attachment = Pick<Endpoint, "workload" | "interface" | "bridge" | "addresses">;

/** What the kernel allows (15 bytes) less what datapaths' tools read as a wildcard, a quote or an escape. */
const PLAIN_INTERFACE = /^[A-Za-z0-9_.:@=+-]{1,15}$/;

/** Can rules name this interface? Whoever makes a link may give it nearly any bytes for a name. */
export const isPlainInterface = (name: string): boolean => PLAIN_INTERFACE.test(name);

/** Processes of this machine, by what the kernel knows them by: the counterpart of `Endpoint` for who has no link of their own. */
export interface LocalProcess {
  readonly workload: WorkloadId;
  readonly cgroup: CgroupPath;
}

/** How a workload touches this machine's network: what the datapath needs to confine it and to stop spoofing. */
export interface Endpoint {
  readonly workload: WorkloadId;
  readonly kind: "netns" | "container";
  /** Interface on our side of the veth pair. */
  readonly interface: string;
  /** The bridge that this interface is a port of. */
  readonly bridge?: string;
  readonly ifindex: number;
  /** The workload's own MAC address, lower case with colons. */
  readonly mac: string;
  readonly addresses: readonly IpAddress[];
  /** Path under which the workload's network namespace can be entered, e.g. `/run/netns/web` or `/proc/123/ns/net`. */
  readonly netnsPath: string;
}
