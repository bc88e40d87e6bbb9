/** One protocol and port, as a question names it: `5432/tcp`, `53/udp`, `icmp/echo-request`, a name of the destination's. */
import {
  ICMP,
  ICMPV6,
  isServiceName,
  parsePort,
  parseProtocol,
  type FlowQuery,
  type NamedPort,
  type PortMatch,
  type Workload,
} from "@bulkhead/model";
import { problem, type Found } from "./problem.ts";

export type OnePort = Pick<FlowQuery, "protocol" | "port">;

export const PORT_HELP = "for example `5432/tcp`, `53/udp`, `http` or `icmp/echo-request`";
const ECHO: Readonly<Record<number, number>> = { [ICMP]: 8 * 256, [ICMPV6]: 128 * 256 };

/** `destination`: where names are looked up. Undefined: it is no workload, and has none. */
export function onePort(text: string, destination: Workload | undefined): Found<OnePort> {
  const ports = destination?.namedPorts ?? [];
  if (isServiceName(text) && parseProtocol(text) === null) {
    return byName(text, ports, () => true, destination);
  }
  const parsed = parsePort(text);
  if ("error" in parsed) {
    const { error } = parsed;
    const told = error.includes(`\`${text}\``) ? error : `\`${text}\`: ${error}`;
    return problem("bad-port", told, PORT_HELP);
  }
  return oneOf(parsed.match, text, ports, destination);
}

function oneOf(
  match: PortMatch,
  text: string,
  ports: readonly NamedPort[],
  destination: Workload | undefined,
): Found<OnePort> {
  switch (match.kind) {
    case "range": {
      const { protocol, first, last } = match;
      // An ICMP type without a code stands for its code 0.
      const isType = ECHO[protocol] !== undefined && first >> 8 === last >> 8;
      if (first === last || isType) return { value: { protocol, port: first } };
      break;
    }
    case "protocol": {
      const { protocol } = match;
      const port = ECHO[protocol] ?? (hasPorts(text) ? undefined : 0);
      if (port !== undefined) return { value: { protocol, port } };
      break;
    }
    case "named":
      return byName(match.name, ports, ({ protocol }) => protocol === match.protocol, destination);
    case "all":
      break;
  }
  return problem("bad-port", `\`${text}\` is not one port`, PORT_HELP);
}

const hasPorts = (protocol: string): boolean => !("error" in parsePort(`1/${protocol}`));

function byName(
  name: string,
  ports: readonly NamedPort[],
  isMeant: (port: NamedPort) => boolean,
  destination: Workload | undefined,
): Found<OnePort> {
  const named = ports.filter((port) => port.name === name && isMeant(port));
  const [first, second] = named;
  if (first === undefined) {
    const has = [...new Set(ports.map((port) => `\`${port.name}\``))];
    return problem(
      "bad-port",
      destination === undefined
        ? `\`${name}\` is a port's name, and the destination is no workload that could have one`
        : `\`${destination.id}\` has no port named \`${name}\``,
      has.length > 0 ? `it has ${has.join(", ")}` : PORT_HELP,
    );
  }
  if (second !== undefined && named.some(({ protocol }) => protocol !== first.protocol)) {
    return problem("bad-port", `\`${name}\` is a port of several protocols`, `say \`${name}/tcp\``);
  }
  return { value: { protocol: first.protocol, port: first.port } };
}
