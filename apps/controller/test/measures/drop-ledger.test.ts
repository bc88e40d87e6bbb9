/** Denied against recorded: what is missing is found to the packet, and what is only late, suppressed or restarted never is. */
import { describe, expect, it } from "vitest";
import { DropLedger, type CounterReading } from "../../src/measures/drop-ledger.ts";
import { NOW } from "../fixtures.ts";

const RULE = "0123abcd";
const OTHER = "89abcdef";

const leaf = (
  cookie: string,
  packets: number,
  plane: "live" | "shadow" | "canary" = "live",
  verdict: "allow" | "drop" | "reject" = "drop",
) => ({ cookie, plane, direction: "ingress", verdict, packets, bytes: 0 }) as const;

const reading = (
  seconds: number,
  rules: CounterReading["rules"],
  counters: CounterReading["counters"] = {},
): CounterReading => ({
  askedAt: NOW + seconds * 1000,
  answeredAt: NOW + seconds * 1000 + 50,
  rules,
  counters,
});

const note = (seconds: number, packets: number, cookie = RULE) => ({
  end: NOW + seconds * 1000,
  packets,
  cookie,
});

function begun(rules = [leaf(RULE, 100)], counters = {}): DropLedger {
  const ledger = new DropLedger();
  expect(ledger.take(reading(0, rules, counters))).toBeUndefined();
  return ledger;
}

it("finds what the kernel denied and nobody recorded, with the rules that lack most", () => {
  const ledger = begun([leaf(RULE, 100), leaf(OTHER, 5, "canary", "reject")], { unknown_port: 1 });
  ledger.note(note(10, 40));
  ledger.note(note(11, 3, OTHER));
  const later = reading(
    30,
    [leaf(RULE, 200), leaf(OTHER, 8, "canary", "reject"), leaf("cafecafe", 999, "shadow")],
    { unknown_port: 3, live_suppressed: 20, live_overflowed: 5 },
  );
  expect(ledger.take(later)).toBeUndefined();
  expect(ledger.take(reading(60, later.rules, later.counters))).toEqual({
    since: NOW,
    denied: 105,
    suppressed: 25,
    recorded: 43,
    missing: 37,
    rules: [{ cookie: RULE, denied: 100, recorded: 40 }],
  });
});

describe("never calls missing", () => {
  it("what arrives after the counters were read", () => {
    const ledger = begun();
    ledger.take(reading(30, [leaf(RULE, 110)]));
    ledger.note(note(29, 4));
    ledger.note(note(31, 6));
    expect(ledger.take(reading(60, [leaf(RULE, 110)]))?.missing).toBe(0);
  });

  it("what was recorded between the question for the counters and its answer", () => {
    const ledger = new DropLedger();
    ledger.note(note(0.01, 7));
    ledger.take(reading(0, [leaf(RULE, 100)]));
    ledger.take(reading(30, [leaf(RULE, 107)]));
    expect(ledger.take(reading(60, [leaf(RULE, 107)]))?.missing).toBe(0);
  });

  it("what a rule that left the kernel had counted", () => {
    const ledger = begun();
    ledger.take(reading(30, [leaf(RULE, 500)]));
    expect(ledger.take(reading(60, [leaf(OTHER, 10)]))).toBeUndefined();
    ledger.take(reading(90, [leaf(OTHER, 10)]));
    expect(ledger.take(reading(120, [leaf(OTHER, 10)]))?.missing).toBe(0);
  });

  it("what a table that was made anew counts from nothing", () => {
    const ledger = begun([leaf(RULE, 5)], { live_suppressed: 50 });
    ledger.take(reading(30, [leaf(RULE, 30)], { live_suppressed: 0 }));
    ledger.take(reading(60, [leaf(RULE, 30)]));
    expect(ledger.take(reading(90, [leaf(RULE, 30)]))).toMatchObject({ denied: 0, missing: 0 });
  });
});

it("takes back what came late after all", () => {
  const ledger = begun();
  ledger.take(reading(30, [leaf(RULE, 150)]));
  expect(ledger.take(reading(60, [leaf(RULE, 150)]))?.missing).toBe(50);
  ledger.note(note(20, 50));
  expect(ledger.take(reading(90, [leaf(RULE, 150)]))?.missing).toBe(0);
});
