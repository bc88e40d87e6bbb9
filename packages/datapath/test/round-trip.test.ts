/** What is rendered reads back as what was meant, and the difference of two policies leads from one to the other. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalHostPolicy } from "@bulkhead/model";
import {
  checkHostPolicy,
  readNft,
  readRuleset,
  renderNft,
  planUpdate,
  renderRuleset,
} from "../src/index.ts";
import { arbitraryHostPolicy } from "./arbitrary-policy.ts";

const NOW = 1_800_000_000_000;
const MARKER = "bulkhead/1 owner=test was=-,-,-";

describe("render and read back", () => {
  test("random policies are sound and survive the round trip", () => {
    fc.assert(
      fc.property(arbitraryHostPolicy(NOW), (policy) => {
        expect(checkHostPolicy(policy)).toEqual([]);
        const ruleset = renderRuleset(policy, MARKER);
        const found = readRuleset(ruleset, null, NOW);
        expect(found.differences).toEqual([]);
        expect(found.policy).not.toBeNull();
        if (found.policy !== null)
          expect(canonicalHostPolicy(found.policy)).toBe(canonicalHostPolicy(policy));
      }),
      { numRuns: 300 },
    );
  });

  test("a policy differs from itself in nothing", () => {
    fc.assert(
      fc.property(arbitraryHostPolicy(NOW), (policy) => {
        const ruleset = renderRuleset(policy, MARKER);
        expect(
          Object.values(planUpdate(ruleset, renderRuleset(policy, MARKER), NOW)).join(""),
        ).toBe("");
      }),
      { numRuns: 100 },
    );
  });

  test("text that is no table of ours reads back as nothing there", () => {
    const policy = fc.sample(arbitraryHostPolicy(NOW), { numRuns: 1, seed: 7 })[0];
    expect(readNft({ inet: "", netdev: "", bridge: "" }, policy ?? null, NOW).differences[0]).toBe(
      "table inet bulkhead is missing",
    );
  });

  test("the printed form names protocols for people", () => {
    const policy = fc.sample(arbitraryHostPolicy(NOW), { numRuns: 1, seed: 7 })[0];
    if (policy === undefined) throw new Error("no sample");
    const text = renderNft(policy, { now: NOW, comment: MARKER });
    expect(text).toContain("meta l4proto tcp reject with tcp reset");
    expect(text).toContain(`comment "${MARKER}"`);
  });
});
