/**
 * Ports at which callers come without TLS: nobody has an identity there. All of a workload's, or some that its own
 * PeerAuthentication names.
 */
import {
  portsOf,
  subtract,
  TCP,
  type PortMatch,
  type PortSet,
  type Requirement,
} from "@bulkhead/model";

/** Reserved: on workloads with such ports, which it tells. */
export const PLAINTEXT_LABEL = ":mesh-plaintext";

export interface PlainPorts {
  /** Of the ports that are not named. */
  readonly rest: boolean;
  readonly named: readonly number[];
}

/** A mesh carries TCP only. */
export const EVERY_PORT: PortSet = portsOf([{ kind: "protocol", protocol: TCP }], () => []);

export const portSet = (ports: readonly number[]): PortSet =>
  portsOf(
    ports.map((port): PortMatch => ({ kind: "range", protocol: TCP, first: port, last: port })),
    () => [],
  );

/** Null: at no port. `named` are those that differ from the rest. */
export function plainPorts(rest: boolean, named: readonly number[]): PlainPorts | null {
  const ports = [...new Set(named)].toSorted((a, b) => a - b);
  return rest || ports.length > 0 ? { rest, named: ports } : null;
}

export const plainText = ({ rest, named }: PlainPorts): string =>
  [...(rest ? [named.length === 0 ? "all" : "all-but"] : []), ...named].join("_");

export const plainSet = ({ rest, named }: PlainPorts): PortSet =>
  rest ? subtract(EVERY_PORT, portSet(named)) : portSet(named);

/** Null: workloads without any. */
export const plainRequirement = (plain: PlainPorts | null): Requirement =>
  plain === null
    ? { key: PLAINTEXT_LABEL, operator: "DoesNotExist" }
    : { key: PLAINTEXT_LABEL, operator: "In", values: [plainText(plain)] };
