import { describe, expect, test } from "vitest";
import type { Block, Diagnostic, Plane, Rule, Stage } from "@bulkhead/model";
import { createContext } from "../src/build/context.ts";
import { refuseBeyondKernel } from "../src/build/enforceable.ts";

const source = { file: "x.yaml", line: 3, column: 5 };
const plain: Rule = {
  id: "r",
  source,
  action: "allow",
  peers: [{ kind: "any" }],
  ports: [{ kind: "all" }],
  enforce: "on",
};

const said = (rule: Partial<Rule>, plane: Plane = "net"): readonly string[] => {
  const diagnostics: Diagnostic[] = [];
  const block: Block = {
    id: "b",
    source,
    subject: { kind: "all-workloads" },
    direction: "ingress",
    order: [0],
    isolates: true,
    enforce: "on",
    rules: [{ ...plain, ...rule }],
    policy: { kind: "Policy", namespace: "shop", name: "b" },
  };
  const stage: Stage = {
    id: "s",
    plane,
    mode: "denyOverrides",
    endIfApplied: "deny",
    onPass: null,
    blocks: [block],
  };
  const options = { now: 0, strict: false, mode: "enforce" } as const;
  refuseBeyondKernel([stage], createContext(options, new Map(), diagnostics));
  return diagnostics.map(({ code, span, message }) => `${code} ${span.line}: ${message}`);
};

describe("a set for the kernel", () => {
  test("may hold rules on addresses and ports", () => {
    expect(said({})).toEqual([]);
    expect(said({ action: "deny" })).toEqual([]);
    expect(said({ auth: "disabled" })).toEqual([]);
  });

  test.each<[Partial<Rule>, string]>([
    [{ l7: [{ kind: "http", conditions: [] }] }, "looks into requests"],
    [{ peers: [{ kind: "domain", pattern: "a.b", regex: "a\\.b" }] }, "names its peers by domain"],
    [{ auth: "required" }, "asks its ends to prove who they are"],
    [{ action: "custom" }, "asks a judge outside"],
  ])("may not hold %j", (rule, why) => {
    expect(said(rule)).toEqual([`BH0501 3: this rule ${why}, which cannot be enforced here`]);
  });

  test("may not hold a mesh's rules", () => {
    expect(said({}, "mesh")).toEqual([
      "BH0501 3: this rule is a mesh's, which cannot be enforced here",
    ]);
  });
});
