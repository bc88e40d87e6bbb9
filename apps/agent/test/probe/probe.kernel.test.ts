/** Probes through a real router: what the rules let through is seen at both ends, what they do not at neither. */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { beforeAll, describe, expect, test } from "vitest";
import type { ProbeResult } from "../../src/probe/index.ts";
import {
  between,
  ECHO,
  fromHost,
  OTHER_PROTOCOL,
  prober,
  toHost,
  useProbeLab,
  type Family,
} from "./probe-lab.ts";

useProbeLab();

/** Types that nobody answers: timestamp request, and one that RFC 4443 leaves for experiments. */
const MUTE = { 4: [ICMP, 13 << 8], 6: [ICMPV6, 200 << 8] } as const;
const OPEN = (family: Family): readonly (readonly [string, number, number])[] => [
  ["TCP", TCP, 81],
  ["UDP", UDP, 53],
  ["SCTP", SCTP, 2905],
  ["echo", ...ECHO[family]],
  ["a protocol without ports", 254, 0],
];
const CLOSED = (family: Family): readonly (readonly [string, number, number])[] => [
  ["TCP dropped", TCP, 9999],
  ["UDP dropped", UDP, 9999],
  ["SCTP dropped", SCTP, 9999],
  ["TCP rejected", TCP, 9998],
  ["UDP rejected", UDP, 9998],
  ["ICMP type dropped", ...MUTE[family]],
  ["a protocol without ports dropped", OTHER_PROTOCOL, 0],
];

describe.each([4, 6] as const)("IPv%i", (family) => {
  /** All at once, each told both right and wrong; the wrong ones after the right ones. */
  const right = new Map<string, ProbeResult>();
  const wrong = new Map<string, ProbeResult>();
  beforeAll(async () => {
    for (const [results, truth] of [
      [right, true],
      [wrong, false],
    ] as const) {
      const all = [
        ...OPEN(family).map((one) => [...one, truth] as const),
        ...CLOSED(family).map((one) => [...one, !truth] as const),
      ];
      await Promise.all(
        all.map(async ([name, protocol, port, expectPass]) => {
          results.set(name, await prober.probe(between(family, protocol, port, expectPass)));
        }),
      );
    }
  });

  test.each(OPEN(family))("%s that is let through passes, and is not taken for blocked", (name) => {
    expect(right.get(name)).toMatchObject({
      outcome: "pass",
      sent: true,
      connected: true,
      witnessed: true,
      agree: true,
    });
    expect(wrong.get(name)).toMatchObject({ outcome: "fail", witnessed: true });
  });

  test.each(CLOSED(family))("%s is blocked, and is not taken for open", (name) => {
    expect(right.get(name)).toMatchObject({
      outcome: "pass",
      sent: true,
      connected: false,
      witnessed: false,
      agree: true,
    });
    expect(wrong.get(name)).toMatchObject({ outcome: "fail", connected: false, witnessed: false });
  });

  test("blocked on the way back only is not a boundary", async () => {
    const [tcp, udp, open] = await Promise.all([
      prober.probe(between(family, TCP, 9997, false)),
      prober.probe(between(family, UDP, 9997, false)),
      prober.probe(between(family, TCP, 9997, true)),
    ]);
    for (const result of [tcp, udp, open])
      expect(result).toMatchObject({
        outcome: "fail",
        connected: false,
        witnessed: true,
        agree: false,
      });
  });

  test("to the host: its own rules decide, and it is its own witness", async () => {
    const [echo, echoPort] = ECHO[family];
    const results = await Promise.all([
      prober.probe(toHost(family, TCP, 80, true)),
      prober.probe(toHost(family, UDP, 80, true)),
      prober.probe(toHost(family, SCTP, 2905, true)),
      prober.probe(toHost(family, echo, echoPort, true)),
      prober.probe(toHost(family, TCP, 7777, false)),
      prober.probe(toHost(family, UDP, 7777, false)),
      prober.probe(toHost(family, SCTP, 7777, false)),
      prober.probe(toHost(family, TCP, 80, false)),
    ]);
    expect(results.map(({ outcome, witnessed }) => [outcome, witnessed])).toEqual([
      ["pass", true],
      ["pass", true],
      ["pass", true],
      ["pass", true],
      ["pass", false],
      ["pass", false],
      ["pass", false],
      ["fail", true],
    ]);
  });

  test("from the host", async () => {
    const [echo, echoPort] = ECHO[family];
    const results = await Promise.all([
      prober.probe(fromHost(family, TCP, 81, true)),
      prober.probe(fromHost(family, SCTP, 2905, true)),
      prober.probe(fromHost(family, echo, echoPort, true)),
    ]);
    expect(results.map(({ outcome }) => outcome)).toEqual(["pass", "pass", "pass"]);
  });
});
