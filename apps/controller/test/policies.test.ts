/** Numbers of the kernel's decisions as numbers of rules: each packet counts once, in force or in audit. */
import { expect, it } from "vitest";
import type { RuleCounter } from "@bulkhead/wire";
import { listPolicies } from "../src/queries/policies.ts";

const held = [
  { key: "Policy/shop/db", mode: "enforce" as const, fileName: "policy.yaml" },
  { key: "Inventory/shop", mode: "enforce" as const, fileName: "inventory.yaml" },
];
const cookies = [
  { cookie: "00000001", rule: "Policy/shop/db#ingress/0" },
  { cookie: "00000002", rule: "Policy/shop/db#ingress" },
  { cookie: "00000003", rule: "Policy/shop/db#ingress/0" },
  { cookie: "00000004", rule: "default" },
];

function counter(cookie: string, over: Partial<RuleCounter> = {}): RuleCounter {
  const decision = { plane: "live", direction: "ingress", verdict: "allow" } as const;
  return { cookie, ...decision, packets: 0, bytes: 0, ...over };
}

const asked = (rules: readonly RuleCounter[], error?: string) =>
  listPolicies({
    revision: 3,
    held,
    cookies,
    session: {
      ruleCounters: () =>
        Promise.resolve({
          kind: "rule-counters",
          id: "",
          rules,
          counters: {},
          ...(error === undefined ? {} : { error }),
        }),
    },
  });

it("sums what a rule's decisions counted, once", async () => {
  const shadow = { plane: "shadow" } as const;
  const answer = await asked([
    counter("00000001", { packets: 10, bytes: 1000, lastHit: 5 }),
    counter("00000003", { plane: "canary", packets: 4, bytes: 400, lastHit: 9 }),
    // The same connections, once more.
    counter("00000001", { ...shadow, packets: 3, bytes: 300 }),
    counter("00000002", { verdict: "reject", packets: 2, bytes: 20 }),
    counter("00000002", { verdict: "drop", packets: 1, bytes: 10 }),
    counter("00000004", { ...shadow, packets: 6, bytes: 60 }),
    counter("00000004", { ...shadow, verdict: "drop", packets: 5, bytes: 50 }),
    counter("0badcafe", { packets: 99 }),
  ]);
  expect(answer).toEqual({
    revision: 3,
    policies: [
      { name: "Inventory/shop", mode: "enforce", file: "inventory.yaml", rules: [] },
      {
        name: "Policy/shop/db",
        mode: "enforce",
        file: "policy.yaml",
        rules: [
          { rule: "Policy/shop/db#ingress", allowed: 0, denied: 3, wouldDeny: 0, bytes: 30 },
          {
            rule: "Policy/shop/db#ingress/0",
            allowed: 14,
            denied: 0,
            wouldDeny: 0,
            bytes: 1400,
            lastHit: 9,
          },
        ],
      },
    ],
    others: [{ rule: "default", allowed: 6, denied: 0, wouldDeny: 5, bytes: 110 }],
  });
});

it("tells what is in force without numbers when there are none", async () => {
  expect((await asked([], "no table")).uncounted).toBe("no table");
  const away = await listPolicies({ revision: 3, held, cookies, session: undefined });
  expect(away.uncounted).toBe("no agent is connected");
  expect(away.policies[1]?.rules).toHaveLength(2);
  const session = { ruleCounters: () => Promise.reject(new Error("hung up")) };
  expect((await listPolicies({ revision: 3, held, cookies, session })).uncounted).toBe("hung up");
});
