/**
 * What is enforced for all flows and becomes a rollout again is let go of in two steps. A packet under way reads rules of
 * the old generation and set elements of the new one (decision 0031): were both to change at once, one that takes part could
 * pass by rules that do not yet lead it aside and elements that no longer hold it. So the rules come first.
 */
import type { ConfinedProcess, HostPolicy, MapSet, WorkloadId } from "@bulkhead/model";

/** By control group a process is the same also where another policy has it under another name. */
const known = (before: HostPolicy, after: HostPolicy) => {
  const { processes = [], sockets = [], managed = [] } = after;
  const byCgroup = new Map(processes.map((process) => [process.cgroup, process]));
  const names = new Set(processes.map(({ workload }) => workload));
  const more: ConfinedProcess[] = [];
  const renamed = new Map<WorkloadId, WorkloadId | null>();
  for (const process of before.processes ?? []) {
    const same = byCgroup.get(process.cgroup);
    if (same !== undefined) renamed.set(process.workload, same.workload);
    // The later policy knows nothing of it, and has given its name away: it is nobody's from the first step on.
    else if (names.has(process.workload)) renamed.set(process.workload, null);
    else more.push(process);
  }
  const nameOf = (workload: WorkloadId): WorkloadId | null => {
    const name = renamed.get(workload);
    return name === undefined ? workload : name;
  };
  const placeOf = ({ address, family, protocol, port }: (typeof sockets)[number]): string =>
    `${address ?? ""} ${family} ${protocol} ${port}`;
  const taken = new Set(sockets.map(placeOf));
  const old = (before.sockets ?? []).filter((socket) => !taken.has(placeOf(socket)));
  return {
    nameOf,
    lists: {
      processes: [...processes, ...more],
      sockets: [
        ...sockets,
        ...old.flatMap((socket) => {
          const workload = nameOf(socket.workload);
          return workload === null ? [] : [{ ...socket, workload }];
        }),
      ],
      managed: [...new Set([...managed, ...(before.managed ?? [])])],
    },
  };
};

const renameProcesses = (
  set: MapSet,
  nameOf: (workload: WorkloadId) => WorkloadId | null,
): MapSet => {
  const rename = <T>(list: readonly (readonly [WorkloadId, T])[]) =>
    list.flatMap(([workload, rest]) => {
      const name = nameOf(workload);
      return name === null ? [] : [[name, rest] as const];
    });
  const { processes, processOverlay } = set;
  return {
    ...set,
    maps: set.maps.map((map) =>
      map.processes === undefined ? map : { ...map, processes: rename(map.processes) },
    ),
    ...(processes && {
      processes: { egress: rename(processes.egress), ingress: rename(processes.ingress) },
    }),
    ...(processOverlay && {
      processOverlay: processOverlay.flatMap((entry) => {
        const process = nameOf(entry.process);
        return process === null ? [] : [{ ...entry, process }];
      }),
    }),
  };
};

/** What to bring into force between the two; null where nothing lies between them. */
export const beforeLettingGo = (
  before: HostPolicy | null,
  after: HostPolicy,
): HostPolicy | null => {
  if (before === null || before.canary !== undefined || after.canary === undefined) return null;
  if (before.live.maps.length === 0) return null;
  const rows = new Map([...before.rows, ...after.rows].map((row) => [row.id, row]));
  const { nameOf, lists } = known(before, after);
  return {
    ...after,
    ...lists,
    live: renameProcesses(before.live, nameOf),
    rows: [...rows.values()],
  };
};
