/** Two ends behind a router whose rules let some of everything through, and a prober in the middle. */
import { ICMP, ICMPV6 } from "@bulkhead/model";
import { afterAll, beforeAll } from "vitest";
import { createProber, type ProbeRequest, type Prober } from "../../src/probe/index.ts";
import { createLab, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

export const ECHO = { 4: [ICMP, 8 << 8], 6: [ICMPV6, 128 << 8] } as const;
export const OTHER_PROTOCOL = 253;

const RULES = `table inet bulkhead_probe {
  chain forward {
    type filter hook forward priority 0
    meta l4proto { tcp, udp, sctp } th dport 9999 drop
    tcp dport 9998 reject with tcp reset
    udp dport 9998 reject
    meta l4proto { tcp, udp } th dport 9997 accept
    meta l4proto { tcp, udp } th sport 9997 drop
    icmp type timestamp-request drop
    icmpv6 type 200 drop
    meta l4proto ${OTHER_PROTOCOL} ip saddr 10.77.1.2 drop
    meta l4proto ${OTHER_PROTOCOL} ip6 saddr fd77:1::2 drop
  }
  chain input {
    type filter hook input priority 0
    meta l4proto { tcp, udp, sctp } th dport 7777 drop
  }
}
`;

export let lab: NetnsLab;
export let a: LabEnd;
export let b: LabEnd;
export let prober: Prober;

/** To be called once by each test file, before its tests. */
export function useProbeLab(): void {
  beforeAll(() => {
    lab = createLab();
    a = lab.addEnd("a");
    b = lab.addEnd("b");
    lab.load(lab.router, RULES);
    prober = createProber(lab.routerPath);
  });
  afterAll(async () => {
    await prober?.stop();
    lab?.close();
  });
}

export type Family = 4 | 6;
const fromA = (family: Family) => ({
  sourceNetns: a.path,
  source: family === 4 ? a.v4 : a.v6,
});
const toB = (family: Family) => ({
  destinationNetns: b.path,
  destination: family === 4 ? b.v4 : b.v6,
});

export const between = (
  family: Family,
  protocol: number,
  port: number,
  expectPass: boolean,
): ProbeRequest => ({ ...fromA(family), ...toB(family), protocol, port, expectPass });

export const toHost = (
  family: Family,
  protocol: number,
  port: number,
  expectPass: boolean,
): ProbeRequest => ({
  ...fromA(family),
  destination: family === 4 ? a.gateway4 : a.gateway6,
  protocol,
  port,
  expectPass,
});

export const fromHost = (
  family: Family,
  protocol: number,
  port: number,
  expectPass: boolean,
): ProbeRequest => ({
  source: family === 4 ? b.gateway4 : b.gateway6,
  ...toB(family),
  protocol,
  port,
  expectPass,
});

export async function python(end: LabEnd, program: string) {
  const child = lab.start(end.netns, "python3", "-c", program);
  await new Promise((resolve, reject) => {
    child.stdout!.once("data", resolve);
    child.once("exit", (status) => reject(new Error(`it ended with ${status}`)));
  });
  return child;
}
