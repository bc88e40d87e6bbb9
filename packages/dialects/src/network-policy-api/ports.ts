/**
 * Which traffic a rule of network-policy-api is about: `ports` in v1alpha1 and in v1alpha2 before its release v0.2.0,
 * `protocols` since. A name stands for whatever the destination calls so, with any protocol that has ports (trap 4).
 */
import { isServiceName, SCTP, TCP, UDP, type PortMatch } from "@bulkhead/model";
import { fields, optional, required } from "../text/fields.ts";
import { integer, mapped, refined, type Shape, word } from "../text/shape.ts";
import type { TreeNode } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";
import { some } from "./peers.ts";

const PROTOCOLS = { TCP, UDP, SCTP } as const;
const portNumber = integer(1, 65535);
const protocol = word("protocol", "TCP", "UDP", "SCTP");

const portName = refined<string>((value) =>
  isServiceName(value) ? { value } : { code: "BH0205", error: `\`${value}\` is not a port name` },
);

const named = (name: string): readonly PortMatch[] =>
  Object.values(PROTOCOLS).map((one): PortMatch => ({ kind: "named", protocol: one, name }));

const range = (
  of: number,
  { start, end }: { readonly start: number; readonly end: number },
  node: TreeNode,
  at: Reader,
): readonly PortMatch[] | undefined => {
  if (start < end) return [{ kind: "range", protocol: of, first: start, last: end }];
  at.report("BH0206", node, `\`start\` ${start} is not less than \`end\` ${end}`);
  return undefined;
};

const one = (
  given: Readonly<Record<string, unknown>>,
  what: string,
  node: TreeNode,
  at: Reader,
): boolean => {
  const keys = Object.keys(given).filter((key) => given[key] !== undefined && key !== "source");
  const [first, second] = keys;
  if (first !== undefined && second === undefined) return true;
  if (second === undefined) at.report("BH0103", node, `${what} needs one field`);
  else at.report("BH0109", node, `\`${first}\` and \`${second}\` exclude each other`);
  return false;
};

const single = mapped(
  fields("a port number", { protocol: optional(protocol), port: required(portNumber) }),
  ({ protocol: of = "TCP", port }): readonly PortMatch[] => [
    { kind: "range", protocol: PROTOCOLS[of], first: port, last: port },
  ],
);
const ranged = mapped(
  fields("a port range", {
    protocol: optional(protocol),
    start: required(portNumber),
    end: required(portNumber),
  }),
  ({ protocol: of = "TCP", ...bounds }, node, at) => range(PROTOCOLS[of], bounds, node, at),
);

const port = mapped(
  fields("a port", {
    portNumber: optional(single),
    portRange: optional(ranged),
    namedPort: optional(portName),
  }),
  (value, node, at) =>
    one(value, "a port", node, at)
      ? (value.portNumber ?? value.portRange ?? named(value.namedPort ?? ""))
      : undefined,
);

const destinationPort = mapped(
  fields("a destination port", {
    number: optional(portNumber),
    range: optional(
      fields("a port range", { start: required(portNumber), end: required(portNumber) }),
    ),
  }),
  (value, node, at) => (one(value, "a destination port", node, at) ? value : undefined),
);
const ofProtocol = (name: "TCP" | "UDP" | "SCTP"): Shape<readonly PortMatch[]> =>
  mapped(
    fields(name, { destinationPort: required(destinationPort) }),
    ({ destinationPort: { number, range: bounds } }, node, at) => {
      const of = PROTOCOLS[name];
      if (bounds !== undefined) return range(of, bounds, node, at);
      const first = number ?? 0;
      return [{ kind: "range", protocol: of, first, last: first }];
    },
  );

const protocolMatch = mapped(
  fields("a protocol", {
    tcp: optional(ofProtocol("TCP")),
    udp: optional(ofProtocol("UDP")),
    sctp: optional(ofProtocol("SCTP")),
    destinationNamedPort: optional(portName),
  }),
  (value, node, at) =>
    one(value, "a protocol", node, at)
      ? (value.tcp ?? value.udp ?? value.sctp ?? named(value.destinationNamedPort ?? ""))
      : undefined,
);

const flat = (shape: Shape<readonly (readonly PortMatch[])[]>): Shape<readonly PortMatch[]> =>
  mapped(shape, (matches) => matches.flat());

export const portList = (maximum: number): Shape<readonly PortMatch[]> =>
  flat(some(port, "ports", maximum));
export const protocolList: Shape<readonly PortMatch[]> = flat(some(protocolMatch, "protocols", 25));
