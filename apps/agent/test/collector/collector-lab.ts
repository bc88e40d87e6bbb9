/** A collector in a router of its own, whose rules log first packets, with an end on either side; and what came out of it. */
import type { Worker } from "node:worker_threads";
import type { FlowRecord } from "@bulkhead/model";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import {
  startCollector,
  type Collector,
  type CollectorOptions,
} from "../../src/collector/index.ts";
import { createLab, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

export const GROUP = 1786;
const FLOOD = new URL("../../../../bench/collector-flood.ts", import.meta.url).pathname;
const RULES = `table inet bulkhead_test {
  counter logged { }
  chain forward {
    type filter hook forward priority 0
    tcp dport 9999 counter name logged log prefix "bh1 D i 0000abcd" group ${GROUP} drop
    iifname v2 udp sport 9998 counter name logged log prefix "bh1 D e 00000001 r" group ${GROUP} drop
    ct state new counter name logged log prefix "bh1 F - 00000000" group ${GROUP}
  }
}
`;

export let lab: NetnsLab;
export let a: LabEnd;
export let b: LabEnd;
export let records: FlowRecord[];
export let problems: string[];
export let readers: Worker[];
let collector: Collector | undefined;

/** To be called once by each test file, before its tests. */
export function useCollectorLab(): void {
  beforeAll(() => {
    lab = createLab();
    a = lab.addEnd("a");
    b = lab.addEnd("b");
  });
  afterAll(() => lab?.close());
  beforeEach(() => {
    records = [];
    problems = [];
    readers = [];
    lab.load(lab.router, `add table inet bulkhead_test\ndelete table inet bulkhead_test\n${RULES}`);
  });
  afterEach(async () => {
    await collector?.stop();
    collector = undefined;
    lab.run(lab.router, "conntrack", "-F");
  });
}

export function start(options: Partial<CollectorOptions> = {}): Collector {
  const started = startCollector({
    group: GROUP,
    netns: lab.routerPath,
    endpoints: [
      [a.v4, a.v6],
      [b.v4, b.v6],
    ],
    onFlows: (batch) => void records.push(...batch),
    onProblem: (problem) => void problems.push(problem),
    onReader: (reader) => void readers.push(reader),
    windowMs: 100,
    dumpEveryMs: 200,
    ...options,
  });
  collector = started;
  return started;
}

/** The router's own count of packets it logged. */
export const logged = (): number =>
  Number(
    /packets (\d+)/.exec(
      lab.run(lab.router, "nft", "list", "counter", "inet", "bulkhead_test", "logged"),
    )?.[1],
  );

export const find = (part: Partial<FlowRecord>): FlowRecord[] =>
  records.filter((record) =>
    Object.entries(part).every(([key, value]) => record[key as keyof FlowRecord] === value),
  );

export const sum = (
  key: "connections" | "established" | "failed" | "bytes" | "packets",
  part: Partial<FlowRecord>,
): number => find(part).reduce((total, record) => total + record[key], 0);

export function flood(packets: number, source = a.v4, destination = b.v4): void {
  lab.run(a.netns, process.execPath, FLOOD, source, destination, String(packets), "0");
}

export function python(end: LabEnd, program: string): string {
  return lab.run(end.netns, "python3", "-c", program);
}
