/** Whether a policy that is about to be enforced permits a connection in one direction, by who has the sockets at its ends. */
import { lookup } from "@bulkhead/engine/lookup";
import type { CgroupPath, HostPolicy, WorkloadId } from "@bulkhead/model";
import { readSocketOwners, type SocketOwners } from "../link/socket-owners.ts";
import { reversed, type LiveConnection } from "./origins.ts";

export function permittedBy(
  policy: HostPolicy,
  now: () => number,
  readOwners: () => SocketOwners = readSocketOwners,
): (connection: LiveConnection) => boolean {
  const processes = new Map(
    (policy.processes ?? []).map(({ cgroup, workload }) => [cgroup, workload]),
  );
  // Seldom asked at all.
  let owners: SocketOwners | undefined;
  const processAt = (end: LiveConnection): WorkloadId | undefined => {
    if (processes.size === 0) return undefined;
    owners ??= readOwners();
    const { protocol, source, sourcePort, destination, destinationPort } = end;
    const cgroup = owners({
      protocol,
      local: source,
      localPort: sourcePort,
      remote: destination,
      remotePort: destinationPort,
    });
    return cgroup ? workloadAbove(cgroup, processes) : undefined;
  };
  return (connection) => {
    const { source, destination, protocol, destinationPort: port } = connection;
    const sourceProcess = processAt(connection);
    const destinationProcess = processAt(reversed(connection));
    const query = {
      source,
      destination,
      protocol,
      port,
      ...(sourceProcess === undefined ? {} : { sourceProcess }),
      ...(destinationProcess === undefined ? {} : { destinationProcess }),
    };
    return lookup(policy, "live", query, now()).verdict === "allow";
  };
}

/** Whoever made a group inside a unit is that unit. */
function workloadAbove(
  cgroup: CgroupPath,
  processes: ReadonlyMap<CgroupPath, WorkloadId>,
): WorkloadId | undefined {
  for (let path = cgroup; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    const workload = processes.get(path);
    if (workload !== undefined) return workload;
  }
  return undefined;
}
