import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judge, type Observation } from "../../src/probe/probe.ts";

const silent: Observation = {
  sent: true,
  departed: true,
  connected: false,
  witnessed: false,
  reachable: true,
  answerable: true,
  witness: "destination",
  missed: 0,
};
const open: Observation = { ...silent, connected: true, witnessed: true };

describe("what must pass", () => {
  test.each([
    ["both ends saw it", open, "pass"],
    [
      "a service that does not answer saw it",
      { ...silent, witnessed: true, answerable: false },
      "pass",
    ],
    ["nobody saw it", silent, "fail"],
    ["it arrived, but nothing came back", { ...silent, witnessed: true }, "fail"],
    ["it was refused on the way", { ...silent, refusal: "ECONNREFUSED" }, "fail"],
    [
      "an answer of which the destination knows nothing",
      { ...open, witnessed: false },
      "inconclusive",
    ],
    ["nothing was sent", { ...silent, sent: false, refusal: "ENETUNREACH" }, "inconclusive"],
    ["trouble", { ...open, trouble: "gone" }, "inconclusive"],
  ] as const)("%s: %s → %s", (_name, seen, outcome) => {
    expect(judge(true, seen).outcome).toBe(outcome);
  });
});

describe("what must not", () => {
  test.each([
    ["nobody saw it", silent, "pass"],
    ["it was refused, and nobody saw it", { ...silent, refusal: "ECONNREFUSED" }, "pass"],
    ["it connected", open, "fail"],
    ["the destination saw it, though no answer came", { ...silent, witnessed: true }, "fail"],
    [
      "an answer of which the destination knows nothing",
      { ...open, witnessed: false },
      "inconclusive",
    ],
    ["it never left the source", { ...silent, departed: false }, "inconclusive"],
    [
      "the destination could not be reached anyway",
      { ...silent, reachable: false },
      "inconclusive",
    ],
    ["the witness was overrun", { ...silent, missed: 3 }, "inconclusive"],
    ["nothing was sent", { ...silent, sent: false }, "inconclusive"],
    [
      "departure cannot be told from the host",
      { ...silent, departed: null, reachable: null },
      "pass",
    ],
  ] as const)("%s: %s → %s", (_name, seen, outcome) => {
    expect(judge(false, seen).outcome).toBe(outcome);
  });
});

test("laws: no observation passes both ways, silence never proves passage, and a sighting never proves a boundary", () => {
  const observation = fc.record({
    sent: fc.boolean(),
    departed: fc.constantFrom(true, false, null),
    connected: fc.boolean(),
    witnessed: fc.boolean(),
    reachable: fc.constantFrom(true, false, null),
    answerable: fc.boolean(),
    witness: fc.constantFrom("destination", "host", "uplink"),
    missed: fc.nat(2),
  } as const);
  fc.assert(
    fc.property(observation, (seen) => {
      const must = judge(true, seen);
      const mustNot = judge(false, seen);
      expect([must.outcome, mustNot.outcome]).not.toEqual(["pass", "pass"]);
      expect(must.outcome === "pass" && !seen.witnessed).toBe(false);
      expect(mustNot.outcome === "pass" && (seen.witnessed || seen.connected)).toBe(false);
      expect(must.detail.length * mustNot.detail.length).toBeGreaterThan(0);
    }),
  );
});
