/** No packet under way falls between hooks that do not lead it aside yet and subjects that are no longer held for all. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HostPolicy, MapSet } from "@bulkhead/model";
import { beforeLettingGo, checkHostPolicy, planUpdate, renderRuleset } from "../src/index.ts";
import { arbitraryHostPolicy } from "./arbitrary-policy.ts";
import { SAMPLE_NOW, SAMPLE_POLICIES } from "./sample-policies.ts";

const { audit, enforce } = SAMPLE_POLICIES;
const nothing: MapSet = { subjects: { egress: [], ingress: [] }, maps: [], overlay: [] };
const rollout = (share: number): HostPolicy => ({
  ...enforce,
  endpoints: audit.endpoints,
  live: nothing,
  canary: { seed: 1, share, maps: enforce.live },
});

const steps = (from: HostPolicy, to: HostPolicy) => {
  const between = beforeLettingGo(from, to);
  const path = between === null ? [from, to] : [from, between, to];
  return path.slice(1).map((policy, at) => ({
    policy,
    update: planUpdate(
      renderRuleset(path[at] as HostPolicy, ""),
      renderRuleset(policy, ""),
      SAMPLE_NOW,
    ).switch,
  }));
};

const changesHooks = (script: string): boolean =>
  /^flush chain inet bulkhead forward/m.test(script);
/** Takes an address out of the look-ups that hold for all; whose element only leads elsewhere stays held. */
const letsGo = (script: string): boolean => {
  const subjects = (verb: string): string =>
    script
      .split("\n")
      .filter((line) => new RegExp(`^${verb} inet bulkhead l[ei]_subjects`).test(line))
      .join("\n");
  const held = ["10.0.0.2", "10.0.0.3", "fd00::3"];
  const added = subjects("add element");
  const gone = subjects("delete element");
  const all = subjects("flush map") !== "";
  return held.some((address) => (all || gone.includes(address)) && !added.includes(address));
};

describe("what is enforced for all and becomes a rollout", () => {
  const [first, second] = steps(enforce, rollout(3000));

  test("would do both at once", () => {
    const { switch: together } = planUpdate(
      renderRuleset(enforce, ""),
      renderRuleset(rollout(3000), ""),
      SAMPLE_NOW,
    );
    expect([changesHooks(together), letsGo(together)]).toEqual([true, true]);
  });

  test("is led aside first, and let go of then", () => {
    expect(checkHostPolicy(first!.policy)).toEqual([]);
    expect([changesHooks(first!.update), letsGo(first!.update)]).toEqual([true, false]);
    expect([changesHooks(second!.update), letsGo(second!.update)]).toEqual([false, true]);
    expect(second!.policy).toEqual(rollout(3000));
  });
});

test.each([
  ["begins after audit", audit, rollout(1)],
  ["grows", rollout(1), rollout(2)],
  ["ends at all flows", rollout(1), enforce],
  ["is lifted", rollout(1), audit],
  ["is none", audit, enforce],
])("a rollout that %s needs one step", (_, from, to) => {
  expect(beforeLettingGo(from, to)).toBeNull();
  expect(beforeLettingGo(null, to)).toBeNull();
  const [only] = steps(from, to);
  expect(changesHooks(only!.update) && letsGo(only!.update)).toBe(false);
});

test("whatever lies between two policies is sound, and can be written", () => {
  let met = 0;
  const policy = arbitraryHostPolicy(SAMPLE_NOW);
  const sound = fc.property(policy, policy, (from, to) => {
    const between = beforeLettingGo(from, to);
    if (between === null) return;
    met += 1;
    expect(checkHostPolicy(between)).toEqual([]);
    renderRuleset(between, "");
  });
  fc.assert(sound, { numRuns: 1500, seed: 7 });
  expect(met).toBeGreaterThan(100);
});
