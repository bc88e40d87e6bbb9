/** What belongs to a rollout, what moves with its share, and what it must not open. */
import { describe, expect, it } from "vitest";
import { ApiFailure } from "@bulkhead/api";
import type { Canary } from "@bulkhead/model";
import { compareHeld, mergeGiven, readGiven, type HeldResource } from "../src/policy/candidate.ts";
import { sameEntries } from "../src/policy/change.ts";
import { readPolicy } from "../src/policy/reading.ts";
import {
  canaryOf,
  canaryView,
  openedBy,
  rolloutNotices,
  rolloutOf,
  unusedShare,
} from "../src/policy/rollout.ts";
import { POLICY } from "./lab.ts";
import { held, INVENTORY, NOW } from "./fixtures.ts";

const TENTH: Canary = { seed: 7, share: 1000 };
const HALF: Canary = { seed: 7, share: 5000 };
const OTHER = {
  name: "other.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: other, namespace: shop }
spec: { subject: app=db, egress: [] }
`,
};
const [INTENT, SHUT] = ["Intent/shop/web-db", "Policy/shop/shut"];

const apply = (
  before: readonly HeldResource[],
  files: readonly { readonly name: string; readonly text: string }[],
  canary?: Canary,
  mode: "audit" | "enforce" = "enforce",
) => mergeGiven(before, readGiven(files), { mode, prune: false, canary });

const shares = (list: readonly HeldResource[]) =>
  Object.fromEntries(list.map(({ stored }) => [stored.key, stored.canary?.share]));

describe("what an apply makes of a rollout", () => {
  it("marks what may deny, and not who is there", () => {
    const { held: after } = apply([], [INVENTORY, POLICY], TENTH);
    expect(shares(after)).toEqual({
      [INTENT as string]: 1000,
      [SHUT as string]: 1000,
      "Inventory/shop/lab": undefined,
    });
    expect(canaryView(after)).toEqual({ canary: { share: 1000, resources: [INTENT, SHUT] } });
  });

  it("moves with one share all that belongs to it, also what the files do not hold", () => {
    const before = apply([], [POLICY, OTHER], TENTH).held;
    const { held: after, changes } = apply(before, [OTHER], HALF);
    expect(new Set(Object.values(shares(after)))).toEqual(new Set([5000]));
    expect(changes.changed).toEqual([INTENT, SHUT, "Policy/shop/other"].toSorted());
    expect(sameEntries(before, after)).toBe(false);
  });

  it("ends for what is applied without a share, and for that alone", () => {
    const before = apply([], [POLICY, OTHER], TENTH).held;
    const { held: after, changes } = apply(before, [OTHER]);
    expect(shares(after)["Policy/shop/other"]).toBeUndefined();
    expect(shares(after)[SHUT as string]).toBe(1000);
    expect([changes.changed, changes.kept]).toEqual([["Policy/shop/other"], [INTENT, SHUT]]);
    expect(apply(after, [POLICY], undefined, "audit").held.some((one) => one.stored.canary)).toBe(
      false,
    );
  });

  it("leaves what is enforced for all, and stays as it is, in force for all", () => {
    const before = apply([], [POLICY]).held;
    const { held: after, changes } = apply(before, [POLICY, OTHER], TENTH);
    expect(shares(after)).toMatchObject({ [SHUT as string]: undefined, "Policy/shop/other": 1000 });
    expect(changes).toMatchObject({ unchanged: [INTENT, SHUT], added: ["Policy/shop/other"] });
    expect(openedBy(before, after, { force: false, reason: "" })).toEqual([]);
    expect(rolloutNotices(before, after).join("\n")).toMatch(
      /`Policy\/shop\/other` holds for 10% of flows.*\n.*stay in force for all flows/,
    );
  });

  it("tells another share apart when it goes from one set to another as a whole", () => {
    const [tenth, half] = [TENTH, HALF].map((canary) => apply([], [POLICY], canary).held);
    expect(compareHeld(tenth!, half!).changed).toEqual([INTENT, SHUT]);
    expect(compareHeld(tenth!, tenth!).unchanged).toEqual([INTENT, SHUT]);
  });
});

describe("what a rollout must not open", () => {
  const before = apply([], [POLICY]).held;
  const edited = { ...POLICY, text: POLICY.text.replace("  ingress: []\n", "") };
  const { held: after } = apply(before, [edited], TENTH);

  it("is refused by name, with what to do instead", () => {
    const attempt = () => openedBy(before, after, { force: true, reason: "" });
    expect(attempt).toThrow(ApiFailure);
    expect(attempt).toThrow(/`Policy\/shop\/shut` is enforced for all flows.*90% of them/);
  });

  it("may be forced with a reason, and is then said", () => {
    const said = openedBy(before, after, { force: true, reason: "too strict" });
    expect(said).toEqual([expect.stringMatching(/^forced: `Policy\/shop\/shut`/)]);
  });
});

describe("a share of what is enforced for all already", () => {
  it("is told to change nothing", () => {
    const before = apply([], [POLICY]).held;
    expect(unusedShare(HALF, apply(before, [POLICY], HALF).held).join()).toMatch(
      /^a share of 50% changes nothing: .* enforced for all flows already$/u,
    );
    expect(unusedShare(HALF, apply(before, [POLICY, OTHER], HALF).held)).toEqual([]);
    expect(unusedShare(undefined, before)).toEqual([]);
  });
});

describe("the seed", () => {
  it("is drawn when a rollout begins, and kept while one is under way", () => {
    const request = { mode: "enforce", canary: 500 } as const;
    const first = canaryOf(request, []);
    expect(first?.share).toBe(500);
    expect(first?.seed).toBeGreaterThanOrEqual(1);
    expect(first?.seed).toBeLessThan(2 ** 32);
    const seeds = new Set(Array.from({ length: 20 }, () => canaryOf(request, [])?.seed));
    expect(seeds.size).toBeGreaterThan(1);
    const running = apply([], [POLICY], TENTH).held;
    expect(canaryOf(request, running)).toEqual({ seed: 7, share: 500 });
    expect(rolloutOf(held([POLICY]))).toBeNull();
  });

  it("is not needed for all flows, and no share is for audit", () => {
    expect(canaryOf({ mode: "enforce", canary: 10_000 }, [])).toBeUndefined();
    expect(canaryOf({ mode: "enforce" }, [])).toBeUndefined();
    expect(() => canaryOf({ mode: "audit", canary: 10 }, [])).toThrow(/for what is enforced/);
  });
});

describe("what is read", () => {
  const read = (list: readonly HeldResource[]) => readPolicy(list, { now: NOW, strict: false }).set;
  const marked = (list: readonly HeldResource[]) =>
    read(list)
      .stages.flatMap(({ blocks }) => blocks)
      .flatMap(({ policy, canary }) => (canary === true ? [policy.name] : []));

  it("has the blocks of a rollout marked, and no others", () => {
    const list = apply(apply([], [POLICY]).held, [OTHER], TENTH).held;
    expect(new Set(marked(list))).toEqual(new Set(["other"]));
    expect(read(list).canary).toEqual(TENTH);
  });

  it("knows of no rollout that denies nothing: none, or one of what only audits", () => {
    expect("canary" in read(held([POLICY]))).toBe(false);
    const staged = { ...OTHER, text: OTHER.text.replace("spec: {", "spec: { mode: audit,") };
    expect(read(apply([], [staged], TENTH).held).canary).toBeUndefined();
  });
});
