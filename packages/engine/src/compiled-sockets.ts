/** Processes at the ends of a flow as a compiled HostPolicy has them: what a datapath asks sockets for, not addresses. */
import {
  familyOf,
  parseIp,
  type FlowQuery,
  type HostPolicy,
  type IpAddress,
  type ProcessSocket,
  type WorkloadId,
} from "@bulkhead/model";
import { isLoopback } from "./socket-owners.ts";

export interface CompiledEnds {
  /** Undefined: it is judged, and exempt, by its address. */
  readonly source: WorkloadId | undefined;
  /** Undefined: it is judged by its address. */
  readonly destination: WorkloadId | undefined;
  /** It goes to itself, and that is exempt. */
  readonly toItself: boolean;
  /** It comes from this machine and arrives at a socket that nobody has told of. */
  readonly untold: boolean;
}

export function compiledEnds(policy: HostPolicy): (query: FlowQuery) => CompiledEnds {
  const known = new Set((policy.processes ?? []).map(({ workload }) => workload));
  const host = new Set(policy.hostAddresses);
  const isHere = (address: IpAddress) => host.has(address) || isLoopback(parseIp(address)!);
  const sockets = new Map(
    (policy.sockets ?? []).map((socket) => [socketKey(socket), socket.workload]),
  );
  const ownerOf = ({ destination: address, protocol, port }: FlowQuery) => {
    if (!isHere(address)) return undefined;
    const said = { family: familyOf(address), protocol, port };
    return sockets.get(socketKey({ ...said, address })) ?? sockets.get(socketKey(said));
  };
  return (query) => {
    const named = (id: WorkloadId | undefined) =>
      id !== undefined && known.has(id) ? id : undefined;
    const source = named(query.sourceProcess);
    const arrived = named(query.destinationProcess);
    const owner = ownerOf(query);
    const fromHere = source !== undefined || isHere(query.source);
    return {
      source,
      destination: arrived ?? owner,
      toItself: policy.profile.hairpinExempt && source !== undefined && owner === source,
      untold: fromHere && arrived !== undefined && owner !== arrived,
    };
  };
}

function socketKey({
  address = "*",
  family,
  protocol,
  port,
}: Omit<ProcessSocket, "workload">): string {
  return `${family} ${address} ${protocol}/${port}`;
}
