/**
 * Ports that rules call by a name, towards somebody who is not here: which number the name is there, nobody knows. Each
 * name gets a number for the time of the asking, all of them between the same two bounds of rules, so that a number that
 * is treated otherwise than its neighbour owes it to its name.
 */
import {
  formatProtocol,
  hasPort,
  MAX_PORT,
  portsOf,
  subtract,
  union,
  type NamedPort,
  type PolicySet,
  type PortSet,
} from "@bulkhead/model";

/** A port of an unknown workload, by protocol and name. */
export type PortName = Pick<NamedPort, "protocol" | "name">;

export interface PortsByName {
  /** What somebody unknown is taken to have. */
  readonly assumed: readonly NamedPort[];
  /** What a set of ports says by numbers, and which names are treated otherwise. */
  read(ports: PortSet): NamedPorts;
}

export interface NamedPorts {
  readonly ports: PortSet;
  readonly named: readonly PortName[];
  /** Whoever has these has them apart: they are denied by their names. */
  readonly except: readonly PortName[];
}

export function portsByName({ stages }: PolicySet): PortsByName {
  const names = new Map<string, PortName>();
  const bounds = new Set([1, MAX_PORT + 1]);
  for (const { blocks } of stages) {
    for (const match of blocks.flatMap(({ rules }) => rules.flatMap(({ ports }) => ports))) {
      if (match.kind === "named") names.set(`${match.name} ${match.protocol}`, match);
      if (match.kind === "range") bounds.add(match.first).add(match.last + 1);
    }
  }
  const sorted = [...names].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  // The neighbour comes first. More names than numbers between two bounds there cannot be in a sound folder.
  const first = widestGap([...bounds].toSorted((a, b) => a - b));
  const assumed = sorted.map(({ protocol, name }, at) => ({
    protocol,
    name,
    port: first + 1 + at,
  }));
  return {
    assumed,
    read(ports) {
      const has = (protocol: number, port: number): boolean => hasPort(ports, protocol, port);
      const differing = (byName: boolean): readonly NamedPort[] =>
        assumed.filter(
          ({ protocol, port }) => has(protocol, port) === byName && has(protocol, first) !== byName,
        );
      const [named, except] = [differing(true), differing(false)];
      return { ports: union(subtract(ports, setOf(named)), setOf(except)), named, except };
    },
  };
}

/** `TCP dns,http`, `SCTP web,TCP web`. */
export function portNamesText(names: readonly PortName[]): string {
  const byProtocol = new Map<string, string[]>();
  for (const { protocol, name } of names) {
    const title = formatProtocol(protocol).toUpperCase();
    byProtocol.set(title, [...(byProtocol.get(title) ?? []), name]);
  }
  return [...byProtocol]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([protocol, all]) => `${protocol} ${all.toSorted().join(",")}`)
    .join(",");
}

function setOf(ports: readonly NamedPort[]): PortSet {
  return portsOf(
    ports.map(({ protocol, port }) => ({ kind: "range", protocol, first: port, last: port })),
    () => [],
  );
}

function widestGap(bounds: readonly number[]): number {
  let [widest, start] = [0, 1];
  for (const [at, bound] of bounds.entries()) {
    const width = (bounds[at + 1] ?? bound) - bound;
    if (width > widest) [widest, start] = [width, bound];
  }
  return start;
}
