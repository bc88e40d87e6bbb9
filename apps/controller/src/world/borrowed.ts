/**
 * Units that use sockets which the kernel judges by another control group (docs/decisions/0061): started by systemd at their first
 * connection, moved between groups while connected, or given a socket. What is theirs would not be judged as theirs.
 */
import type { CgroupPath, WorkloadId } from "@bulkhead/model";
import type { BorrowedSockets } from "@bulkhead/wire";
import { formatPort } from "@bulkhead/model";
import type { World } from "./world.ts";

export interface Borrower {
  readonly workload: WorkloadId;
  readonly sockets: BorrowedSockets;
  /** What is wrong, in words that follow the workload's name. */
  readonly text: string;
}

/** Everybody whose traffic its own policy would miss. Connections that another accepted stay the other's by right: SSH sessions. */
export function borrowers(world: World): readonly Borrower[] {
  return [...world.units].flatMap(([workload, units]) =>
    units.flatMap(({ borrowed = [] }) =>
      borrowed
        .filter(({ how }) => how !== "accepted")
        .map((sockets) => ({ workload, sockets, text: textOf(sockets, world) })),
    ),
  );
}

function textOf({ maker, how, ports }: BorrowedSockets, world: World): string {
  const list = ports.map(({ protocol, port }) => formatPort(protocol, port)).join(", ");
  const what = list === "" ? "connections" : `sockets (${list})`;
  const by = maker === "" ? "a control group that has gone" : makerName(maker, world);
  return how === "activated"
    ? `uses ${what} that ${by} made for it (socket activation)`
    : `uses ${what} that were made in ${by}: a process was moved, or handed them on`;
}

/** The workload's name, or the path where no workload is. */
export function makerName(maker: CgroupPath, world: World): string {
  const found = world.processes.find(
    ({ cgroup }) => maker === cgroup || maker.startsWith(`${cgroup}/`),
  );
  return found?.workload ?? maker;
}
