/** What does not fit is told in words, whichever limit it meets. */
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS, checkCapacity, renderRuleset, usageOf } from "../src/index.ts";
import { SAMPLE_POLICIES } from "./testing.ts";

const usage = usageOf(renderRuleset(Object.values(SAMPLE_POLICIES)[0]!, ""));

describe("capacity", () => {
  it("takes what fits exactly", () => {
    const exact = {
      elements: usage.elements,
      setElements: usage.largestSet.elements,
      chains: usage.chains,
    };
    expect(checkCapacity(usage, exact)).toEqual([]);
  });

  it.each([
    ["elements", usage.elements, /^the policy needs \d+ set elements, the limit is \d+$/],
    ["setElements", usage.largestSet.elements, /^\S+ needs \d+ elements, the limit is \d+$/],
    ["chains", usage.chains, /^the policy needs \d+ chains, the limit is \d+$/],
  ] as const)("refuses more %s than the limit", (limit, needed, sentence) => {
    const problems = checkCapacity(usage, { ...DEFAULT_LIMITS, [limit]: needed - 1 });
    expect(problems).toEqual([expect.stringMatching(sentence)]);
  });
});
