/**
 * Every cell of attachment × family × protocol × verdict on a real kernel, each observed at both ends: no cell is empty,
 * none is skipped. The matrix is printed.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Row, RowDecision } from "@bulkhead/model";
import { createDriver } from "../../src/drivers/index.ts";
import type { Driver } from "../../src/drivers/index.ts";
import { createLab } from "./lab.ts";
import type { Lab, LabWorkload } from "./lab.ts";
import { ALLOW, DROP, REJECT, policyOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";
import { createTraffic } from "./traffic.ts";
import type { Flow, Outcome, ProtocolName, Traffic } from "./traffic.ts";

const PORT = 5000;
const PROTOCOLS: readonly ProtocolName[] = ["tcp", "udp", "sctp", "icmp"];
const VERDICTS = ["allow", "drop", "reject", "audit"] as const;
type Verdict = (typeof VERDICTS)[number];

let lab: Lab;
let driver: Driver;
let traffic: Traffic;

beforeAll(() => {
  lab = createLab(["near", "same"], ["far"]);
  driver = createDriver("nftables", { owner: "test", now: () => Date.now(), netns: lab.hostPath });
  traffic = createTraffic();
  for (const path of [...Object.values(lab.workloads).map((w) => w.path), lab.hostPath])
    for (const protocol of PROTOCOLS) traffic.serve(path, protocol, PORT);
});
afterAll(() => {
  traffic?.close();
  lab?.close();
});

const workload = (name: string): LabWorkload => lab.workload(name);

interface Attachment {
  readonly name: string;
  readonly direction: "egress" | "ingress";
  readonly from: () => string;
  readonly to: (family: 4 | 6) => string;
}

const address = (name: string) => (family: 4 | 6) =>
  family === 4 ? workload(name).v4 : workload(name).v6;
const near = (): string => workload("near").path;

const ATTACHMENTS: readonly Attachment[] = [
  { name: "FORWARD same bridge, egress", direction: "egress", from: near, to: address("same") },
  { name: "FORWARD routed, egress", direction: "egress", from: near, to: address("far") },
  {
    name: "INPUT, egress",
    direction: "egress",
    from: near,
    to: (f) => (f === 4 ? "10.86.0.1" : "fd86::1"),
  },
  { name: "FORWARD same bridge, ingress", direction: "ingress", from: near, to: address("same") },
  { name: "FORWARD routed, ingress", direction: "ingress", from: near, to: address("far") },
  { name: "OUTPUT, ingress", direction: "ingress", from: () => lab.hostPath, to: address("near") },
];

const NUMBERS: Readonly<Record<ProtocolName, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1 };
const ECHO = [8 << 8, 128 << 8] as const;

/** `decision` for what is tried, the opposite for everything else, so that no cell passes by a default. */
const rowFor = (decision: RowDecision, others: RowDecision): Row => {
  const protocols = [
    ...PROTOCOLS.map((name) => [NUMBERS[name], name === "icmp" ? ECHO[0] : PORT] as const),
    [58, ECHO[1]] as const,
  ].toSorted((a, b) => a[0] - b[0]);
  return {
    ...rowOf(others),
    protocols: protocols.map(([protocol, port]) => ({
      protocol,
      intervals: [
        { first: 0, last: port - 1, decision: others },
        { first: port, last: port, decision },
        { first: port + 1, last: 65_535, decision: others },
      ],
    })),
  };
};

const DECISIONS: Readonly<Record<Verdict, readonly [RowDecision, RowDecision]>> = {
  allow: [ALLOW, DROP],
  drop: [DROP, ALLOW],
  reject: [REJECT, ALLOW],
  audit: [DROP, ALLOW],
};

const apply = async (verdict: Verdict, direction: "egress" | "ingress"): Promise<void> => {
  const subjects = direction === "egress" ? ["near"] : ["near", "same", "far"];
  const classes: ClassText[] = [
    {
      direction,
      subjects: subjects.flatMap((name) => [workload(name).v4, workload(name).v6]),
      defaultRow: rowFor(...DECISIONS[verdict]),
    },
  ];
  const receipt = await driver.apply(
    policyOf(lab, verdict === "audit" ? { shadow: classes, mode: "audit" } : { live: classes }),
  );
  expect(receipt.digest).toBe((await driver.readBack()).desiredDigest);
};

const audited = async (): Promise<number> =>
  (await driver.counters())
    .filter((c) => c.kind === "leaf" && c.plane === "shadow" && c.verdict === "drop")
    .reduce((sum, { packets }) => sum + packets, 0);

const tell = ({ answer, arrived }: Outcome): string =>
  `${typeof answer === "string" ? answer : answer.refused}${arrived ? ", arrived" : ""}`;

const REFUSED: Readonly<Record<ProtocolName, RegExp>> = {
  tcp: /^ECONNREFUSED$/,
  udp: /^(EHOSTUNREACH|EACCES)$/,
  sctp: /^(EHOSTUNREACH|EACCES)$/,
  icmp: /^(EHOSTUNREACH|EACCES)$/,
};

/** The machine's own sockets are told at once, with EPERM, that a packet was not let out; only TCP keeps trying. */
const isLocalDenial = (attachment: string, protocol: ProtocolName, { answer }: Outcome): boolean =>
  attachment.startsWith("OUTPUT") &&
  protocol !== "tcp" &&
  typeof answer === "object" &&
  answer.refused === "EPERM";

const isRight = (
  verdict: Verdict,
  attachment: string,
  protocol: ProtocolName,
  outcome: Outcome,
): boolean => {
  const { answer, arrived } = outcome;
  if (verdict === "allow" || verdict === "audit") return answer === "passed" && arrived;
  if (isLocalDenial(attachment, protocol, outcome)) return !arrived;
  if (verdict === "drop") return answer === "silent" && !arrived;
  return typeof answer === "object" && REFUSED[protocol].test(answer.refused) && !arrived;
};

test("attachment × family × protocol × verdict", async () => {
  const lines: string[] = [];
  const wrong: string[] = [];
  let cells = 0;
  for (const direction of ["egress", "ingress"] as const) {
    for (const verdict of VERDICTS) {
      await apply(verdict, direction);
      const own = ATTACHMENTS.filter((attachment) => attachment.direction === direction);
      const tries = own.flatMap(({ name, from, to }) =>
        ([4, 6] as const).flatMap((family) =>
          PROTOCOLS.map((protocol) => {
            const flow: Flow = { from: from(), destination: to(family), protocol, port: PORT };
            return { name, family, protocol, flow };
          }),
        ),
      );
      const before = verdict === "audit" ? await audited() : 0;
      const outcomes = await Promise.all(tries.map(({ flow }) => traffic.attempt(flow)));
      outcomes.forEach((outcome, index) => {
        const { name, family, protocol } = tries[index] as (typeof tries)[number];
        cells += 1;
        const label = `${name.padEnd(29)} IPv${family} ${protocol.padEnd(4)} ${verdict.padEnd(6)}`;
        const right = isRight(verdict, name, protocol, outcome);
        lines.push(`${label} ${right ? "ok   " : "WRONG"} ${tell(outcome)}`);
        if (!right) wrong.push(`${label}: ${tell(outcome)}`);
      });
      if (verdict === "audit") expect((await audited()) - before).toBe(tries.length);
    }
  }
  console.log(lines.toSorted().join("\n"));
  expect(wrong).toEqual([]);
  expect(cells).toBe(ATTACHMENTS.length * 2 * PROTOCOLS.length * VERDICTS.length);
});
