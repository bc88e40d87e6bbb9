/**
 * Ports in netpol-analyzer's words: `TCP 80,443`, `SCTP 7070,TCP 8080-8081,UDP 9090`, `All Connections`. Its world is
 * TCP, UDP and SCTP, ports 1 to 65535; what is permitted besides, ICMP above all, is not seen in it.
 */
import {
  coversPorts,
  formatProtocol,
  intersect,
  isEmptyPorts,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  SCTP,
  TCP,
  UDP,
  type PortSet,
} from "@bulkhead/model";

/** In the order of the words. */
const PROTOCOLS = [SCTP, TCP, UDP];

const EVERYTHING = portsOf(
  PROTOCOLS.map((protocol) => ({ kind: "range", protocol, first: 1, last: MAX_PORT })),
  () => [],
);

export const ALL_CONNECTIONS = "All Connections";
export const NO_CONNECTIONS = "No Connections";

/** What of the ports a line can tell; perhaps nothing. */
export function inWords(ports: PortSet): PortSet {
  return intersect(ports, EVERYTHING);
}

export function isEverythingInWords(ports: PortSet): boolean {
  return coversPorts(ports, EVERYTHING);
}

const texts = new WeakMap<PortSet, string>();

export function connectionText(ports: PortSet): string {
  let text = texts.get(ports);
  if (text === undefined) texts.set(ports, (text = textOf(inWords(ports))));
  return text;
}

function textOf(ports: PortSet): string {
  if (isEmptyPorts(ports)) return NO_CONNECTIONS;
  if (isEverythingInWords(ports)) return ALL_CONNECTIONS;
  return PROTOCOLS.flatMap((protocol) => {
    const intervals = portsOfProtocol(ports, protocol).map(({ first, last }) =>
      first === last ? `${first}` : `${first}-${last}`,
    );
    return intervals.length === 0
      ? []
      : [`${formatProtocol(protocol).toUpperCase()} ${intervals.join(",")}`];
  }).join(",");
}
