/**
 * Checks a HostPolicy before a word of it reaches nft: every id and address is spliced into text that the kernel's
 * tool parses, and a dangling reference would be refused halfway. Collects everything that is wrong.
 */
import {
  CANARY_BUCKETS,
  MAX_PORT,
  canonicalIp,
  compareIp,
  familyOf,
  isPlainInterface,
} from "@bulkhead/model";
import type {
  HostPolicy,
  IpAddress,
  MapSet,
  OverlayEntry,
  PolicyMap,
  ProcessOverlayEntry,
  Row,
  RowDecision,
} from "@bulkhead/model";
import { checkProcesses } from "./validate-processes.ts";

const ID = /^[0-9a-f]{8,16}$/;
const COOKIE = /^[0-9a-f]{8}$/;
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

type Report = (problem: string) => void;

const checkAddress = (address: IpAddress, where: string, report: Report): void => {
  if (canonicalIp(address) !== address) report(`${where}: \`${address}\` is no canonical address`);
};

const checkRange = (first: IpAddress, last: IpAddress, where: string, report: Report): void => {
  checkAddress(first, where, report);
  checkAddress(last, where, report);
  if (familyOf(first) !== familyOf(last) || compareIp(first, last) > 0)
    report(`${where}: \`${first}\`-\`${last}\` is no range`);
};

const checkDecision = ({ cookie }: RowDecision, where: string, report: Report): void => {
  if (!COOKIE.test(cookie)) report(`${where}: \`${cookie}\` is no cookie`);
};

const checkRow = (row: Row, report: Report): void => {
  const where = `row ${row.id}`;
  if (!ID.test(row.id)) report(`${where}: no id`);
  checkDecision(row.others, where, report);
  for (const { protocol, intervals } of row.protocols) {
    let next = 0;
    for (const { first, last, decision } of intervals) {
      checkDecision(decision, where, report);
      if (first !== next || last < first)
        report(`${where}: ports of protocol ${protocol} have a gap at ${next}`);
      next = last + 1;
    }
    if (next !== MAX_PORT + 1) report(`${where}: ports of protocol ${protocol} end at ${next - 1}`);
    if (!Number.isInteger(protocol) || protocol < 0 || protocol > 255)
      report(`${where}: ${protocol} is no protocol`);
  }
};

const checkMap = (map: PolicyMap, rows: ReadonlySet<string>, report: Report): void => {
  const where = `${map.direction} class ${map.classId}`;
  if (!ID.test(map.classId)) report(`${where}: no id`);
  const row = (id: string): void => {
    if (!rows.has(id)) report(`${where}: row ${id} is not given`);
  };
  row(map.defaultRow);
  const seen = new Set<IpAddress>();
  for (const [address, id] of map.exact) {
    checkAddress(address, where, report);
    if (seen.has(address)) report(`${where}: ${address} occurs twice`);
    seen.add(address);
    row(id);
  }
  let previous: IpAddress | undefined;
  for (const [first, last, id] of map.ranges.toSorted((a, b) => compareIp(a[0], b[0]))) {
    checkRange(first, last, where, report);
    if (previous !== undefined && compareIp(first, previous) <= 0)
      report(`${where}: ranges overlap at ${first}`);
    previous = last;
    row(id);
  }
  for (const [, id] of map.processes ?? []) row(id);
};

const checkOverlay = (
  entry: OverlayEntry | ProcessOverlayEntry,
  classes: ReadonlySet<string>,
  report: Report,
): void => {
  const where = `overlay of ${entry.direction} class ${entry.classId}`;
  if (!classes.has(`${entry.direction} ${entry.classId}`))
    report(`${where}: the class is not given`);
  if ("peer" in entry) checkRange(entry.peer[0], entry.peer[1], where, report);
  checkDecision(entry.decision, where, report);
  const [first, last] = entry.ports;
  if (!(first >= 0 && first <= last && last <= MAX_PORT))
    report(`${where}: ${first}-${last} are no ports`);
  if (!Number.isFinite(entry.deadline)) report(`${where}: no deadline`);
};

const checkNumber = (ifindex: number, taken: Set<number>, where: string, report: Report): void => {
  if (!Number.isInteger(ifindex) || ifindex < 1 || ifindex > 0x7fffffff)
    report(`${where}: ${ifindex} is no interface's number`);
  if (taken.has(ifindex)) report(`${where}: another interface has number ${ifindex}`);
  taken.add(ifindex);
};

const checkSet = (set: MapSet, rows: ReadonlySet<string>, report: Report): void => {
  const classes = new Set<string>();
  for (const map of set.maps) {
    const name = `${map.direction} ${map.classId}`;
    if (classes.has(name)) report(`${name} is given twice`);
    classes.add(name);
    checkMap(map, rows, report);
  }
  for (const direction of ["egress", "ingress"] as const) {
    const seen = new Set<IpAddress>();
    for (const [address, id] of set.subjects[direction]) {
      checkAddress(address, `${direction} subjects`, report);
      if (seen.has(address)) report(`${direction} subject ${address} occurs twice`);
      seen.add(address);
      if (!classes.has(`${direction} ${id}`))
        report(`${direction} subject ${address}: class ${id} is not given`);
    }
  }
  for (const entry of set.overlay) checkOverlay(entry, classes, report);
  for (const entry of set.processOverlay ?? []) checkOverlay(entry, classes, report);
};

const isWhole = (value: number, last: number): boolean =>
  Number.isInteger(value) && value >= 1 && value <= last;

/** Empty iff the policy can be rendered. */
export const checkHostPolicy = (policy: HostPolicy): readonly string[] => {
  const problems: string[] = [];
  const report: Report = (problem) => {
    problems.push(problem);
  };
  const rows = new Set<string>();
  for (const row of policy.rows) {
    if (rows.has(row.id)) report(`row ${row.id} is given twice`);
    rows.add(row.id);
    checkRow(row, report);
  }
  checkSet(policy.live, rows, report);
  checkSet(policy.shadow, rows, report);
  if (policy.canary !== undefined) {
    const { seed, share, maps } = policy.canary;
    // nft leaves a seed of 0 to chance, and a share of all or nothing is no rollout.
    if (!isWhole(seed, 0xffffffff)) report(`canary: ${seed} is no seed`);
    if (!isWhole(share, CANARY_BUCKETS - 1)) report(`canary: ${share} is no share`);
    checkSet(maps, rows, report);
  }
  const interfaces = new Set<string>();
  const numbers = new Set<number>();
  for (const endpoint of policy.endpoints) {
    const where = `endpoint ${endpoint.workload}`;
    if (!isPlainInterface(endpoint.interface))
      report(`${where}: \`${endpoint.interface}\` is no interface`);
    if (interfaces.has(endpoint.interface))
      report(`${where}: interface ${endpoint.interface} has two endpoints`);
    interfaces.add(endpoint.interface);
    checkNumber(endpoint.ifindex, numbers, where, report);
    if (!MAC.test(endpoint.mac)) report(`${where}: \`${endpoint.mac}\` is no MAC address`);
    for (const address of endpoint.addresses) checkAddress(address, where, report);
    if (endpoint.node !== undefined) report(`${where}: runs on another node than this machine`);
  }
  for (const { interface: name, ifindex } of policy.ports ?? []) {
    const where = `port ${name}`;
    if (!isPlainInterface(name)) report(`${where}: \`${name}\` is no interface`);
    if (interfaces.has(name)) report(`${where}: interface ${name} is given twice`);
    interfaces.add(name);
    checkNumber(ifindex, numbers, where, report);
  }
  for (const address of policy.hostAddresses) checkAddress(address, "host", report);
  checkProcesses(policy, report);
  return problems;
};
