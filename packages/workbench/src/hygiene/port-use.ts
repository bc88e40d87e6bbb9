/**
 * Which of the ports that a rule permits recorded connections used. An edge is decided again, as it is enforced and as audit
 * has it, and counts for the rules that decide it; rules of one place in a text, as both ends of an Intent, are one.
 */
import { decide, queryOf, type InventoryIndex } from "@bulkhead/engine";
import {
  emptyPorts,
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
  TCP,
  union,
  type Block,
  type Edge,
  type PolicySet,
  type PortMatch,
  type PortSet,
  type Rule,
} from "@bulkhead/model";

/** One that permits, by number, more than was used; ports by name are told apart and are kept. */
export interface BroadRule {
  /** `db.yaml:7:5` */
  readonly place: string;
  readonly rule: Rule;
  readonly blocks: readonly Block[];
  readonly permits: PortSet;
  readonly used: PortSet;
  /** Of what it permits, how much was never used: ports, types and codes of ICMP, and protocols without ports. */
  readonly slack: number;
}

export interface PortUse {
  add(edge: Edge): void;
  /** By place; what nothing used is not broad but unused, and is not among them. */
  broad(): readonly BroadRule[];
  usedAt(place: string): PortSet;
}

/** Passed, and was no connection to nobody: over TCP a refusal is told from an answer. */
export function isUse({ verdict, protocol, established, failed }: Edge): boolean {
  const passed = verdict === "forwarded" || verdict === "audit";
  return passed && !(protocol === TCP && established === 0 && failed > 0);
}

export function createPortUse(set: PolicySet, index: InventoryIndex, now: number): PortUse {
  const places = placesOf(set);
  const placeOf = new Map(
    [...places].flatMap(([place, own]) => own.map(({ rule }) => [rule.id, place] as const)),
  );
  const used = new Map<string, PortSet>();
  const usedAt = (place: string): PortSet => used.get(place) ?? emptyPorts;
  const credit = (id: string, edge: Edge): void => {
    const place = placeOf.get(id);
    if (place !== undefined) used.set(place, union(usedAt(place), portOf(edge)));
  };
  return {
    usedAt,
    add(edge) {
      if (!isUse(edge)) return;
      for (const view of ["live", "shadow"] as const) {
        const { egress, ingress } = decide(set, index, queryOf(edge, index), { now, view });
        for (const { determinedBy: by } of [egress, ingress]) {
          if (by.kind === "rule") credit(by.rule, edge);
        }
      }
    },
    broad: () =>
      [...places].flatMap(([place, own]): readonly BroadRule[] => {
        const { rule } = own[0]!;
        const permits = byNumber(rule.ports);
        const inIt = intersect(usedAt(place), permits);
        const slack = sizeOf(subtract(permits, inIt));
        if (slack === 0 || isEmptyPorts(usedAt(place))) return [];
        return [{ place, rule, blocks: own.map(({ block }) => block), permits, used: inIt, slack }];
      }),
  };
}

interface Placed {
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
