/**
 * What a judgement costs in the kernel: look-ups in eBPF maps of ten entries and of a million, beyond questions that are answered
 * before any look-up. Asked by test run, so without packets; in turns, and the fastest of each counts, for whatever else the
 * machine does can only slow a run down.
 */
import { createRegistry, planTables, tablesOf } from "@bulkhead/datapath";
import { formatIp } from "@bulkhead/model";
import type { HostPolicy, Row } from "@bulkhead/model";
import { shippedObject } from "../apps/agent/src/bpf/index.ts";
import { AT_ONCE, openJudge } from "../apps/agent/test/ebpf/judging.ts";
import type { Judge, Question } from "../apps/agent/test/ebpf/judging.ts";
import { absolute } from "./figure.ts";
import type { Figure } from "./figure.ts";

const SIZES = [10, 10_000, 1_000_000];
const ROUNDS = 40;

const SUBJECT = "10.255.0.1";

const addressOf = (index: number): string => formatIp(4, 0x0b000000n + BigInt(index));

const ROWS: readonly Row[] = [
  { id: "00000001", protocols: [], others: { verdict: "drop", cookie: "00000001" } },
  {
    id: "00000002",
    protocols: [
      {
        protocol: 6,
        intervals: [
          { first: 0, last: 442, decision: { verdict: "drop", cookie: "00000001" } },
          { first: 443, last: 443, decision: { verdict: "allow", cookie: "00000002" } },
          { first: 444, last: 65_535, decision: { verdict: "drop", cookie: "00000001" } },
        ],
      },
    ],
    others: { verdict: "drop", cookie: "00000001" },
  },
];

const policyOf = (entries: number): HostPolicy => {
  const none = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
  return {
    revision: 1,
    endpoints: [],
    hostAddresses: [],
    live: {
      ...none,
      subjects: { egress: [[SUBJECT, "0000000a"]], ingress: [] },
      maps: [
        {
          classId: "0000000a",
          direction: "egress",
          exact: Array.from({ length: entries }, (_, index) => [addressOf(index), "00000002"]),
          ranges: [],
          defaultRow: "00000001",
        },
      ],
    },
    shadow: none,
    rows: ROWS,
    profile: { nodeExempt: false, hairpinExempt: false },
  };
};

const question = (destination: string, source = SUBJECT): Question => ({
  source,
  destination,
  protocol: 6,
  port: 443,
  fromMachine: false,
});

const UNKNOWN = "nothing known of the peer";

const KINDS = {
  "nobody is judged": () => question("192.0.2.1", "192.0.2.2"),
  "a hit": (entries: number) => question(addressOf(entries - 1)),
  "another address each time": (entries: number, index: number) =>
    question(addressOf((index * 7919) % entries)),
  [UNKNOWN]: () => question("192.0.2.1"),
} as const satisfies Record<string, (entries: number, index: number) => Question>;

const fill = (judge: Judge, entries: number): void => {
  const registry = createRegistry();
  const tables = tablesOf(policyOf(entries), registry, null);
  const plan = planTables(null, tables, 0, registry, judge.clocks());
  for (const change of plan.prepare) judge.write(change);
};

const sized = (entries: number): readonly Figure[] => {
  const judge = openJudge(shippedObject("judge"), { peers: Math.max(1024, entries + 1) });
  try {
    fill(judge, entries);
    return Object.entries(KINDS).map(([name, make]) => {
      judge.put(Array.from({ length: AT_ONCE }, (_, index) => make(entries, index)));
      const spent: number[] = [];
      const floor: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        judge.storeEpoch(0);
        floor.push(judge.run(AT_ONCE) / AT_ONCE);
        judge.storeEpoch(1);
        spent.push(judge.run(AT_ONCE) / AT_ONCE);
      }
      const own = Math.min(...spent) - Math.min(...floor);
      const label = `ebpf/judgement, ${entries.toLocaleString("en")} addresses, ${name}, beyond an unjudged question`;
      return absolute(label, "ns", [own], { atMost: name === UNKNOWN ? 120 : 60 });
    });
  } finally {
    judge.close();
  }
};

export const benchJudge = (): readonly Figure[] => SIZES.flatMap(sized);
