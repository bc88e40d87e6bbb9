/**
 * What could reach, and be reached by, workloads that no file has. One side is judged, that of the workloads here: what
 * the policies of somebody unknown say, nobody knows.
 */
import { isActive, selects } from "@bulkhead/engine";
import {
  emptyPorts,
  equalPorts,
  intersect,
  isEmptyPorts,
  type Block,
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
import { portsByName, type PortName } from "./ports-by-name.ts";
import { representativesOf, titlesIn, type Representative } from "./representatives.ts";

export interface Exposure {
  readonly workload: string;
  readonly direction: Direction;
  /** `entire-cluster`, `[namespace with {env=prod}]/[all pods]`, `10.0.0.0-10.255.255.255[External]`. */
  readonly peer: string;
  /** Empty, and no names: others may what the entire cluster may, but these may nothing. */
  readonly ports: PortSet;
  /** Ports of whoever is there that rules allow by their names, whatever their numbers. */
  readonly named?: readonly PortName[];
  /** Those that rules deny by their names, whatever `ports` says. */
  readonly except?: readonly PortName[];
}

export interface Exposures {
  /** Egress first; then by workload, then by peer. */
  readonly exposures: readonly Exposure[];
  /** No policy in force selects it for this direction. Sorted. */
  readonly unprotected: readonly { readonly workload: string; readonly direction: Direction }[];
  /** Is more permitted than lines can tell? */
  readonly isMoreThanLines: boolean;
}

const DIRECTIONS = ["egress", "ingress"] as const;

/** Cuts of the view do not matter. */
export function exposuresOf(desk: Desk, now: number, view: WorldView = WHOLE_WORLD): Exposures {
  const { sees = () => true } = view;
  const byName = portsByName(desk.set);
  const drawn = representativesOf(desk.set, desk.index, byName.assumed);
  // Whom the view leaves out has no line; without one, nothing must look denied to them either.
  const representatives = {
    ...drawn,
    all: drawn.all.filter(({ workload }) => sees(workloadName(workload))),
  };
  const seats = desk.withOthers({
    workloads: representatives.all.map(({ workload }) => workload),
    namespaces: representatives.namespaces,
  });
  const strangers = new Set(representatives.all.map(({ workload }) => workloadName(workload)));
  let more = false;
  const unprotected: Exposures["unprotected"][number][] = [];
  const exposures = DIRECTIONS.flatMap((direction) => {
    const stages = desk.set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter((block) => block.direction === direction),
    }));
    const oneWay = { ...desk.set, stages };
    const found = connectionsAmong(oneWay, seats, isMachineDeclared(desk), now);
    more ||= isMoreThanLines(found, view);
    const expansion = expand(found, view);
    const policed = policies(
      stages.flatMap(({ blocks }) => blocks),
      desk,
      now,
    );
    unprotected.push(
      ...[...policed]
        .filter(([, { isProtected }]) => !isProtected)
        .map(([workload]) => ({ workload, direction })),
    );
    const all = new Set([...seats.workloads.values()].map(workloadName));
    return [...all]
      .filter((name) => !strangers.has(name) && sees(name))
      .toSorted()
      .flatMap((workload) => {
        const titles = policed.get(workload)?.titles;
        const spokenOf = representatives.all.filter(
          ({ title }) => title === undefined || titles?.has(title) === true,
        );
        return [
          ...exposed(workload, direction, expansion, spokenOf).map((one) =>
            direction === "egress" ? { ...one, ...byName.read(one.ports) } : one,
          ),
          ...worldly(workload, direction, expansion, view),
        ].toSorted((x, y) => (x.peer < y.peer ? -1 : 1));
      });
  });
  const keyOf = ({ workload, direction }: Exposures["unprotected"][number]): string =>
    `${workload} ${direction}`;
  return {
    exposures,
    unprotected: unprotected
      .filter(({ workload }) => sees(workload))
      .toSorted((x, y) => (keyOf(x) < keyOf(y) ? -1 : 1)),
    isMoreThanLines: more,
  };
}

interface Policed {
  readonly isProtected: boolean;
  /** Of the peers in rules about it. */
  readonly titles: ReadonlySet<string>;
}

/** By the names of workloads; pods of one owner have what any of them has. Those on their node's network have none. */
function policies(
  blocks: readonly Block[],
  { index }: Desk,
  now: number,
): ReadonlyMap<string, Policed> {
  const found = new Map<string, Policed>();
  const inForce = blocks.filter((block) => isActive(block, { now, view: "live" }));
  const titlesOf = new Map(inForce.map((block) => [block, titlesIn(block)]));
  const byLabels = new Map<string, Policed>();
  for (const workload of index.workloads.values()) {
    const key = JSON.stringify([workload.namespace, Object.entries(workload.labels).toSorted()]);
    let one = byLabels.get(key);
    if (one === undefined) {
      const own = inForce.filter(({ subject }) => selects(subject, workload, index));
      const titles = new Set(own.flatMap((block) => [...titlesOf.get(block)!]));
      byLabels.set(key, (one = { isProtected: own.length > 0, titles }));
    }
    const name = workloadName(workload);
    const before = found.get(name);
    found.set(
      name,
      before === undefined || before === one
        ? one
        : {
            isProtected: before.isProtected && one.isProtected,
            titles: new Set([...before.titles, ...one.titles]),
          },
    );
  }
  return found;
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
