/** Checks of what a HostPolicy says of the machine's processes; the rest of `validate.ts`. */
import { MAX_PORT, canonicalIp, cgroupLevel, familyOf, isPlainCgroup } from "@bulkhead/model";
import type { HostPolicy, MapSet, WorkloadId } from "@bulkhead/model";
import { hasPorts } from "./port-lookups.ts";

type Report = (problem: string) => void;

const HANDLE = /^[0-9a-f]{8}$/;
/** What `socket cgroupv2 level` can say. */
const MAX_LEVEL = 255;

const checkUnique = (report: Report) => {
  const seen = new Set<string>();
  return (key: string, problem: string): void => {
    if (seen.has(key)) report(problem);
    seen.add(key);
  };
};

const checkKnown = ({ processes = [], managed = [] }: HostPolicy, report: Report): void => {
  const unique = checkUnique(report);
  for (const { workload, cgroup, handle } of processes) {
    const where = `process ${workload}`;
    if (!isPlainCgroup(cgroup) || cgroupLevel(cgroup) > MAX_LEVEL)
      report(`${where}: no rule can name the control group \`${cgroup}\``);
    // Readers of the packet log take 0 for nobody.
    if (!HANDLE.test(handle) || handle === "00000000")
      report(`${where}: \`${handle}\` is no handle`);
    unique(`workload ${workload}`, `${where} is given twice`);
    unique(`handle ${handle}`, `${where}: another process has handle ${handle}`);
    unique(`cgroup ${cgroup}`, `${where}: another process has control group \`${cgroup}\``);
  }
  for (const path of managed) {
    if (!isPlainCgroup(path) || cgroupLevel(path) !== 1)
      report(`managed: \`${path}\` is no control group of the first level`);
    unique(`managed ${path}`, `managed: \`${path}\` is given twice`);
  }
};

const checkSockets = (
  { sockets = [] }: HostPolicy,
  known: ReadonlySet<WorkloadId>,
  report: Report,
): void => {
  const unique = checkUnique(report);
  for (const { workload, address, family, protocol, port } of sockets) {
    const where = `socket of ${workload}`;
    if (!known.has(workload)) report(`${where}: the process is not given`);
    if (address !== undefined && (canonicalIp(address) !== address || familyOf(address) !== family))
      report(`${where}: \`${address}\` is no canonical address of its family`);
    if (!hasPorts(protocol) || !Number.isInteger(port) || port < 1 || port > MAX_PORT)
      report(`${where}: ${port} is no port of protocol ${protocol}`);
    const place = `${address ?? ""} ${family} ${protocol} ${port}`;
    unique(place, `${where}: port ${port} of protocol ${protocol} has two owners`);
  }
};

const checkSet = (set: MapSet, known: ReadonlySet<WorkloadId>, report: Report): void => {
  const classes = new Set(set.maps.map(({ direction, classId }) => `${direction} ${classId}`));
  for (const direction of ["egress", "ingress"] as const) {
    const unique = checkUnique(report);
    for (const [workload, id] of set.processes?.[direction] ?? []) {
      const where = `${direction} process ${workload}`;
      if (!known.has(workload)) report(`${where} is not given`);
      unique(workload, `${where} occurs twice`);
      if (!classes.has(`${direction} ${id}`)) report(`${where}: class ${id} is not given`);
    }
  }
  for (const map of set.maps) {
    const where = `${map.direction} class ${map.classId}`;
    const unique = checkUnique(report);
    for (const [workload] of map.processes ?? []) {
      if (!known.has(workload)) report(`${where}: process ${workload} is not given`);
      unique(workload, `${where}: process ${workload} occurs twice`);
    }
    if (map.direction === "egress" && (map.processes ?? []).length > 0)
      report(`${where}: only ingress asks for processes as peers`);
  }
  for (const { direction, classId, process } of set.processOverlay ?? []) {
    const where = `overlay of ${direction} class ${classId}`;
    if (!known.has(process)) report(`${where}: process ${process} is not given`);
    if (direction === "egress") report(`${where}: only ingress asks for processes as peers`);
  }
};

export const checkProcesses = (policy: HostPolicy, report: Report): void => {
  checkKnown(policy, report);
  const known = new Set((policy.processes ?? []).map(({ workload }) => workload));
  checkSockets(policy, known, report);
  checkSet(policy.live, known, report);
  checkSet(policy.shadow, known, report);
  if (policy.canary !== undefined) checkSet(policy.canary.maps, known, report);
};
