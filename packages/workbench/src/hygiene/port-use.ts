/**
 * Which of the ports that a rule permits were used. Rules of one place in a text, as both ends of an Intent, are one. A port by
 * name is the port that has this name at the workload a connection went to.
 */
import { selects, type Ends, type InventoryIndex, type Place } from "@bulkhead/engine";
import {
  emptyPorts,
  formatPortMatch,
  formatPorts,
  formatSpan,
  ICMP,
  ICMPV6,
  intersect,
  isEmptyPorts,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  PROTOCOLS_WITH_PORTS,
  subtract,
  union,
  type Block,
  type Edge,
  type PolicySet,
  type PortMatch,
  type PortSet,
  type Rule,
  type Workload,
} from "@bulkhead/model";

type NamedMatch = Extract<PortMatch, { kind: "named" }>;

/** One that was used, with what it permits and what of it was used, by number and by name. */
export interface UsedRule {
  /** `db.yaml:7:5` */
  readonly place: string;
  readonly placed: readonly Placed[];
  readonly rule: Rule;
  readonly permits: PortsHeld;
  readonly used: PortsHeld;
  /** Of what it permits, how much was never used: ports, types and codes of ICMP, and protocols without ports. */
  readonly slack: number;
}

export interface PortsHeld {
  readonly numbers: PortSet;
  /** `sql/tcp` */
  readonly names: readonly string[];
}

export interface PortUse {
  credit(rule: string, edge: Edge, ends: () => Ends): void;
  /** By place; what nothing used is not broad but unused, and is not among them. */
  rules(): readonly UsedRule[];
  usedAt(place: string): PortsHeld;
}

export function createPortUse(set: PolicySet, index: InventoryIndex): PortUse {
  const places = placesOf(set);
  const placed = new Map(
    [...places].flatMap(([place, own]) =>
      own.map(({ rule }) => [rule.id, { place, named: rule.ports.filter(isNamed) }] as const),
    ),
  );
  const met = new Map<string, Met>();
  const usedAt = (place: string): PortsHeld => {
    const { ports, names } = met.get(place) ?? nothing();
    let numbers = emptyPorts;
    for (const one of ports.values()) numbers = union(numbers, portOf(one));
    return { numbers, names: [...names].toSorted() };
  };
  return {
    usedAt,
    credit(id, edge, ends) {
      const found = placed.get(id);
      if (found === undefined) return;
      const { place, named } = found;
      const own = met.get(place) ?? nothing();
      met.set(place, own);
      const { protocol, port, destination } = edge;
      own.ports.set(protocol * PORTS + port, { protocol, port });
      if (named.length === 0) return;
      const asked = `${destination.workload ?? destination.address} ${protocol}/${port}`;
      if (own.asked.has(asked)) return;
      own.asked.add(asked);
      const there = portsNamed(ends().destination, edge);
      for (const one of named) {
        if (!there.includes(one.name)) continue;
        for (const text of formatPortMatch(one)) own.names.add(text);
      }
    },
    rules: () =>
      [...places].flatMap(([place, own]): readonly UsedRule[] => {
        const { rule } = own[0]!;
        const used = usedAt(place);
        if (isEmptyPorts(used.numbers)) return [];
        const permits: PortsHeld = {
          numbers: byNumber(rule.ports),
          names: rule.ports.filter(isNamed).flatMap(formatPortMatch),
        };
        const all = union(permits.numbers, numbersOfNames(own, index));
        return [
          {
            place,
            placed: own,
            rule,
            permits,
            used: { ...used, numbers: intersect(used.numbers, permits.numbers) },
            slack: sizeOf(subtract(all, used.numbers)),
          },
        ];
      }),
  };
}

const PORTS = 65_536;

/** What a place was used on. */
interface Met {
  /** By protocol and number, each once. */
  readonly ports: Map<number, Pick<Edge, "protocol" | "port">>;
  readonly names: Set<string>;
  /** Destinations that were looked at for names, with the port. */
  readonly asked: Set<string>;
}

const nothing = (): Met => ({ ports: new Map(), names: new Set(), asked: new Set() });

/** `8000-8010/tcp, sql/tcp` */
export function formatHeld({ numbers, names }: PortsHeld): string {
  const text = isEmptyPorts(numbers) ? [] : [formatPorts(numbers)];
  return [...text, ...names].join(", ");
}

const isNamed = (match: PortMatch): match is NamedMatch => match.kind === "named";

function portsNamed({ workload }: Place, { protocol, port }: Edge): readonly string[] {
  return (workload?.namedPorts ?? [])
    .filter((one) => one.protocol === protocol && one.port === port)
    .map(({ name }) => name);
}

/** What the names stand for at all workloads that they may be asked of. */
function numbersOfNames(placed: readonly Placed[], index: InventoryIndex): PortSet {
  let all = emptyPorts;
  for (const { block, rule } of placed) {
    const named = rule.ports.filter(isNamed);
    if (named.length === 0) continue;
    const isAsked = ({ subject, direction }: Block, workload: Workload): boolean =>
      direction === "ingress"
        ? selects(subject, workload, index)
        : rule.peers.some((peer) => peer.kind === "workloads" && selects(peer, workload, index));
    for (const workload of index.workloads.values()) {
      const own = workload.namedPorts.filter((port) =>
        named.some(({ name, protocol }) => name === port.name && protocol === port.protocol),
      );
      if (own.length === 0 || !isAsked(block, workload)) continue;
      for (const one of own) all = union(all, portOf(one));
    }
  }
  return all;
}

export interface Placed {
  readonly block: Block;
  readonly rule: Rule;
}

/** Rules that allow something, which stand at a place of their own. */
function placesOf(set: PolicySet): ReadonlyMap<string, readonly Placed[]> {
  const all = set.stages.flatMap(({ blocks }) =>
    blocks.flatMap((block) =>
      block.rules
        .filter(({ action }) => action === "allow")
        .map((rule): Placed => ({ block, rule })),
    ),
  );
  return Map.groupBy(all, ({ rule }) => formatSpan(rule.source));
}

function byNumber(ports: readonly PortMatch[]): PortSet {
  return portsOf(ports, () => []);
}

function portOf({ protocol, port }: Pick<Edge, "protocol" | "port">): PortSet {
  const isNumbered = hasPorts(protocol) || isIcmp(protocol);
  return byNumber([
    isNumbered
      ? { kind: "range", protocol, first: port, last: port }
      : { kind: "protocol", protocol },
  ]);
}

const hasPorts = (protocol: number): boolean => PROTOCOLS_WITH_PORTS.includes(protocol);
const isIcmp = (protocol: number): boolean => protocol === ICMP || protocol === ICMPV6;

/** Nobody opens port 0, and a protocol without ports counts as one. */
function sizeOf(set: PortSet): number {
  let size = 0;
  for (let protocol = 0; protocol < 256; protocol++) {
    const intervals = portsOfProtocol(set, protocol);
    if (intervals.length === 0) continue;
    if (!hasPorts(protocol) && !isIcmp(protocol)) {
      size++;
      continue;
    }
    const lowest = hasPorts(protocol) ? 1 : 0;
    for (const { first, last } of intervals) {
      size += Math.max(0, Math.min(last, MAX_PORT) - Math.max(first, lowest) + 1);
    }
  }
  return size;
}
