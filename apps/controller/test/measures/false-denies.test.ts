/** What a change of policy proves of denials before it: a grant says that they were wrong; that a policy went says nothing. */
import { expect, it } from "vitest";
import type { ReplayAnswer } from "@bulkhead/api";
import { falseDenies } from "../../src/measures/false-denies.ts";
import { NOW } from "../fixtures.ts";

type Permitted = ReplayAnswer["newlyAllowed"][number];

const end = (name: string, labels: Record<string, string> = {}) => ({
  address: "10.9.0.1",
  name,
  labels,
});

const direction = (which: "egress" | "ingress", verdict: "allow" | "drop", rule?: string) => ({
  direction: which,
  verdict,
  determinedBy:
    rule === undefined
      ? ({ kind: "default" } as const)
      : ({
          kind: "rule",
          stage: "application",
          policy: { kind: "Policy", namespace: "shop", name: "db" },
          rule,
          source: { file: "db.yaml", line: 1, column: 1 },
        } as const),
  logged: [],
  ambiguous: false,
});

function permitted(rule: string | undefined, edge: Record<string, unknown> = {}): Permitted {
  return {
    edge: {
      source: end("shop/report"),
      destination: end("shop/db"),
      protocol: 6,
      port: 5432,
      verdict: "dropped",
      connections: 3,
      established: 0,
      failed: 0,
      bytes: 0,
      packets: 3,
      firstSeen: NOW,
      lastSeen: NOW + 1,
      windows: 1,
      ...edge,
    },
    before: {
      verdict: "drop",
      egress: direction("egress", "allow"),
      ingress: direction("ingress", "drop"),
    },
    after: {
      verdict: "allow",
      egress: direction("egress", "allow"),
      ingress: direction("ingress", "allow", rule),
    },
  } as unknown as Permitted;
}

const never = (): boolean => false;
const SUBJECT = "shop/report → shop/db 5432/tcp";

it("is one when a rule now grants what was denied; several edges of one kind are one", () => {
  const rule = "Policy/shop/db#ingress/0";
  const found = falseDenies(
    [permitted(rule), permitted(rule, { firstSeen: NOW - 5, connections: 4 })],
    false,
    never,
  );
  expect(found).toEqual([{ subject: SUBJECT, connections: 7, since: NOW - 5 }]);
});

it("is none when the policy merely went, unless the change was taken back and it had been passing", () => {
  const gone = [permitted(undefined)];
  expect(falseDenies(gone, false, () => true)).toEqual([]);
  expect(falseDenies(gone, true, never)).toEqual([]);
  const passed = falseDenies(gone, true, (key, before) => key === SUBJECT && before === NOW);
  expect(passed).toHaveLength(1);
});

it.each([
  ["ended quarantines", { rule: "Quarantine/shop/db#ingress" }],
  ["scanners", { source: end("audit/scanner", { "bulkhead.dev/scanner": "true" }) }],
  ["forged addresses", { verdict: "spoofed" }],
  ["what was only audited", { verdict: "audit" }],
])("leaves out %s", (_what, edge) => {
  expect(falseDenies([permitted("Policy/shop/db#ingress/0", edge)], false, never)).toEqual([]);
});
