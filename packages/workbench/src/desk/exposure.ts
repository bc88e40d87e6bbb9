/**
 * What could reach, and be reached by, workloads that no file has. One side is judged, that of the workloads here: what
 * the policies of somebody unknown say, nobody knows.
 */
import { decide } from "@bulkhead/engine";
import {
  emptyPorts,
  equalPorts,
  intersect,
  isEmptyPorts,
  TCP,
  type Direction,
  type PortSet,
} from "@bulkhead/model";
import { isMoreThanLines } from "./beyond-lines.ts";
import { connectionsAmong, isMachineDeclared } from "./connectivity.ts";
import type { Desk } from "./desk.ts";
import { rangeName, workloadName } from "./end-names.ts";
import { expand, type Expansion } from "./expansion.ts";
import { WHOLE_WORLD, type WorldView } from "./pairs.ts";
import { EVERYBODY } from "./peer-titles.ts";
import { representativesOf, type Representative } from "./representatives.ts";

export interface Exposure {
  readonly workload: string;
  readonly direction: Direction;
  /** `entire-cluster`, `[namespace with {env=prod}]/[all pods]`, `10.0.0.0-10.255.255.255[External]`. */
  readonly peer: string;
  /** Empty: others may what the entire cluster may, but these may nothing. */
  readonly ports: PortSet;
}

export interface Exposures {
  /** Egress first; then by workload, then by peer. */
  readonly exposures: readonly Exposure[];
  /** No policy decides what goes this way, whoever is at the other end. Sorted. */
  readonly unprotected: readonly { readonly workload: string; readonly direction: Direction }[];
  /** Is more permitted than lines can tell? */
  readonly isMoreThanLines: boolean;
}

const DIRECTIONS = ["egress", "ingress"] as const;

/** Cuts of the view do not matter. */
export function exposuresOf(desk: Desk, now: number, view: WorldView = WHOLE_WORLD): Exposures {
  const { sees = () => true } = view;
  const found = representativesOf(desk.set, desk.index);
  // Whom the view leaves out has no line; without one, nothing must look denied to them either.
  const representatives = {
    ...found,
    all: found.all.filter(({ workload }) => sees(workloadName(workload))),
  };
  const seats = desk.withOthers({
    workloads: representatives.all.map(({ workload }) => workload),
    namespaces: representatives.namespaces,
  });
  const strangers = new Set(representatives.all.map(({ workload }) => workloadName(workload)));
  let more = false;
  const exposures = DIRECTIONS.flatMap((direction) => {
    const stages = desk.set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter((block) => block.direction === direction),
    }));
    const oneWay = { ...desk.set, stages };
    const found = connectionsAmong(oneWay, seats, isMachineDeclared(desk), now);
    more ||= isMoreThanLines(found, view);
    const expansion = expand(found, view);
    const all = new Set([...seats.workloads.values()].map(workloadName));
    return [...all]
      .filter((name) => !strangers.has(name) && sees(name))
      .toSorted()
      .flatMap((workload) =>
        [
          ...exposed(workload, direction, expansion, representatives.all),
          ...worldly(workload, direction, expansion, view),
        ].toSorted((a, b) => (a.peer < b.peer ? -1 : 1)),
      );
  });
  return {
    exposures,
    unprotected: unprotected(desk, seats, representatives.all[0]!, now).filter(({ workload }) =>
      sees(workload),
    ),
    isMoreThanLines: more,
  };
}

function exposed(
  workload: string,
  direction: Direction,
  expansion: Expansion,
  representatives: readonly Representative[],
): readonly Exposure[] {
  const portsWith = ({ workload: other }: Representative): PortSet => {
    const stranger = workloadName(other);
    return direction === "ingress"
      ? between(expansion, stranger, workload)
      : between(expansion, workload, stranger);
  };
  const [everybody, ...named] = representatives.map((one) => ({ ...one, ports: portsWith(one) }));
  const excluded = named.filter(({ isExcluded }) => isExcluded);
  // What is owed to a selector that leaves some out is not everybody's.
  const shared = excluded.reduce((all, { ports }) => intersect(all, ports), everybody!.ports);
  const found = (peer: string, ports: PortSet): Exposure => ({ workload, direction, peer, ports });
  return [
    ...(isEmptyPorts(shared) ? [] : [found(EVERYBODY, shared)]),
    ...named
      .filter(({ ports }) => !equalPorts(ports, shared))
      .map(({ title, ports }) => found(title ?? EVERYBODY, ports)),
  ];
}

function between({ rowOf, rankOf }: Expansion, from: string, to: string): PortSet {
  return rowOf(from)[rankOf(to)] ?? emptyPorts;
}

function worldly(
  workload: string,
  direction: Direction,
  expansion: Expansion,
  { families }: WorldView,
): readonly Exposure[] {
  return expansion
    .worldOf(workload, direction === "ingress" ? "from" : "to")
    .filter(({ range }) => families.includes(range.family))
    .map(({ range, ports }) => ({ workload, direction, peer: rangeName(range), ports }));
}

/** Asked with somebody unknown at the other end. */
function unprotected(
  { set }: Desk,
  { index, workloads, addressesOf }: ReturnType<Desk["withOthers"]>,
  { workload: stranger }: Representative,
  now: number,
): Exposures["unprotected"] {
  const [there = ""] = addressesOf(stranger.id);
  const found = new Map<string, { readonly workload: string; readonly direction: Direction }>();
  for (const one of workloads.values()) {
    const here = addressesOf(one.id).find(
      (address) => address.includes(":") === there.includes(":"),
    );
    if (here === undefined || one.name.startsWith("~")) continue;
    for (const direction of DIRECTIONS) {
      const [source, destination] = direction === "egress" ? [here, there] : [there, here];
      const query = { source, destination, protocol: TCP, port: 80 };
      const { determinedBy } = decide(set, index, query, { now, view: "live" })[direction];
      if (determinedBy.kind !== "default" && determinedBy.kind !== "exemption") continue;
      const workload = workloadName(one);
      found.set(`${workload} ${direction}`, { workload, direction });
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
