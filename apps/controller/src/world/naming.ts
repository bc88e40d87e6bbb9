/**
 * Names for ends of flows, for people: the workload, the host, the narrowest NetworkSet that holds it, broadcast, multicast, or the world. The
 * same end is the same object for as long as nothing changes, so that its labels are serialised once.
 */
import {
  groupAt,
  parseCidr,
  parseIp,
  type CgroupPath,
  type Cidr,
  type FlowEnd,
  type IpAddress,
  type IpRange,
  type ProtocolNumber,
  type Workload,
} from "@bulkhead/model";
import type { Place } from "@bulkhead/engine";
import type { World } from "./world.ts";

export interface NamedSet {
  /** As policies name it. */
  readonly name: string;
  readonly cidrs: readonly Cidr[];
}

/** What else is known of an end on the machine's own addresses, which say no more than `host`. */
export interface EndHints {
  /** Control group that its socket was made in. */
  readonly cgroup?: CgroupPath;
  /** Of a destination: where it was waited for. */
  readonly socket?: { readonly protocol: ProtocolNumber; readonly port: number };
}

export type Namer = (address: IpAddress, hints?: EndHints) => FlowEnd;

const NO_HINTS: EndHints = {};
const MAX_NAMES = 100_000;

export function createNamer(world: World, sets: readonly NamedSet[]): Namer {
  const known = new Map<string, FlowEnd>();
  const processes = new Map(world.processes.map(({ cgroup, workload }) => [cgroup, workload]));
  const ranges = sets
    .flatMap((set) => set.cidrs.flatMap((text) => rangeOf(set.name, text)))
    .toSorted((a, b) => Number(a.size - b.size) || (a.name < b.name ? -1 : 1));

  function nameOutside(address: IpAddress): string {
    const parsed = parseIp(address);
    if (parsed === null) return "world";
    const group = groupAt(parsed);
    const found = ranges.find(
      ({ range }) =>
        range.family === parsed.family && range.first <= parsed.value && parsed.value <= range.last,
    );
    return found?.name ?? group ?? "world";
  }

  /** Whoever made a group inside a unit is that unit. */
  function processAt(cgroup: CgroupPath): Workload | undefined {
    for (let path = cgroup; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
      const workload = processes.get(path);
      if (workload !== undefined) return world.index.process(workload);
    }
    return undefined;
  }

  /** Of several who claim the same socket, none. */
  function ownerAt({ sockets }: Place, { protocol, port }: NonNullable<EndHints["socket"]>) {
    const owners = sockets.find((one) => one.protocol === protocol && one.port === port)?.owners;
    return owners?.length === 1 ? owners[0] : undefined;
  }

  function workloadAt(place: Place, { cgroup, socket }: EndHints): Workload | undefined {
    if (place.kind !== "host") return place.workload;
    if (cgroup !== undefined) return processAt(cgroup);
    return socket === undefined ? undefined : ownerAt(place, socket);
  }

  return (address, hints = NO_HINTS) => {
    const place = world.index.at(address);
    const workload = workloadAt(place, hints);
    const key = workload === undefined ? address : `${address} ${workload.id}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const end: FlowEnd =
      workload === undefined
        ? { address, name: place.kind === "host" ? "host" : nameOutside(address), labels: {} }
        : { address, workload: workload.id, name: workload.id, labels: workload.labels };
    // The outside has more addresses than memory.
    if (known.size >= MAX_NAMES) known.clear();
    known.set(key, end);
    return end;
  };
}

function rangeOf(name: string, text: string): { name: string; range: IpRange; size: bigint }[] {
  const parsed = parseCidr(text);
  if (parsed === null) return [];
  const { range } = parsed;
  return [{ name, range, size: range.last - range.first }];
}
