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
  /** By id. None: it is judged by its address; several claim the same socket. */
  readonly destination: readonly WorkloadId[];
  /** It goes to itself, nobody else claims the socket, and that is exempt. */
  readonly toItself: boolean;
  /** It comes from this machine and arrives at a socket that nobody has told of. */
  readonly untold: boolean;
}

export function compiledEnds(policy: HostPolicy): (query: FlowQuery) => CompiledEnds {
  const known = new Set((policy.processes ?? []).map(({ workload }) => workload));
  const host = new Set(policy.hostAddresses);
  const isHere = (address: IpAddress) => host.has(address) || isLoopback(parseIp(address)!);
  const sockets = Map.groupBy(policy.sockets ?? [], socketKey);
  const ownersOf = ({ destination: address, protocol, port }: FlowQuery): WorkloadId[] => {
    if (!isHere(address)) return [];
    const said = { family: familyOf(address), protocol, port };
    const owners = sockets.get(socketKey({ ...said, address })) ?? sockets.get(socketKey(said));
    return [...new Set(owners?.map(({ workload }) => workload))];
  };
  return (query) => {
    const named = (id: WorkloadId | undefined) =>
      id !== undefined && known.has(id) ? id : undefined;
    const source = named(query.sourceProcess);
    const arrived = named(query.destinationProcess);
    const owners = ownersOf(query);
    const fromHere = source !== undefined || isHere(query.source);
    return {
      source,
      destination: arrived === undefined ? owners : [arrived],
      toItself: policy.profile.hairpinExempt && owners.length === 1 && owners[0] === source,
      untold: fromHere && arrived !== undefined && !owners.includes(arrived),
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
