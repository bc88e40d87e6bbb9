/** The guards alone: what a receipt tells of comes back from them, and they name nobody whom the look-ups are about. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalHostPolicy } from "@bulkhead/model";
import {
  compareRulesets,
  parseListing,
  planUpdate,
  printRuleset,
  readGuards,
  renderGuards,
  renderRuleset,
} from "../src/index.ts";
import { arbitraryHostPolicy } from "./arbitrary-policy.ts";

const NOW = 1_800_000_000_000;
const MARKER = "bulkhead/1 owner=test was=-,-,-";
const random = arbitraryHostPolicy(NOW);

test("what they record reads back as it was", () => {
  fc.assert(
    fc.property(random, (policy) => {
      const found = readGuards(renderGuards(policy, MARKER));
      if (typeof found === "string") throw new Error(found);
      expect(canonicalHostPolicy({ ...policy, ...found })).toBe(canonicalHostPolicy(policy));
    }),
    { numRuns: 50 },
  );
});

test("links are guarded as by the whole ruleset, in tables of another name and without a look-up", () => {
  fc.assert(
    fc.property(random, (policy) => {
      const guards = renderGuards(policy, MARKER);
      const whole = renderRuleset(policy, MARKER);
      for (const family of ["netdev", "bridge"] as const)
        expect(guards[family] && { ...guards[family], name: "bulkhead" }).toEqual(whole[family]);
      expect(Object.values(guards).map(({ name }) => name)).not.toContain("bulkhead");
      const rules = [...(guards.inet?.chains.values() ?? [])].flatMap((chain) => chain.rules);
      expect(rules.filter((rule) => rule.includes("vmap"))).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test("they become the next policy's step by step, and what is missing is named", () => {
  const [before, after] = fc.sample(random, { numRuns: 2, seed: 7 });
  if (before === undefined || after === undefined) throw new Error("no sample");
  const [was, is] = [renderGuards(before, MARKER), renderGuards(after, MARKER)];
  const { prepare, switch: turn, open, cleanup } = planUpdate(was, is, NOW);
  const named = [prepare, turn, open, cleanup].join("").match(/\b(inet|netdev|bridge) \S+/g) ?? [];
  expect(new Set(named.map((text) => text.split(" ")[1]))).toEqual(new Set(["bulkhead_guards"]));
  expect(compareRulesets({}, is, NOW)[0]).toBe("table inet bulkhead_guards is missing");
  const text = printRuleset({ inet: is.inet }, NOW);
  expect(parseListing(text, NOW)?.name).toBe("bulkhead_guards");
});
