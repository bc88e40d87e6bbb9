/** Who is asked at the two ends of a flow: exemptions, addresses that several claim, egress before ingress. */
import { describe, expect, it } from "vitest";
import { TCP } from "@bulkhead/model";
import { decide, indexInventory } from "../src/index.ts";
import { holdCompiledTo } from "./agreement.ts";
import { WORLD, ask, ingress, one } from "./asked.ts";
import {
  any,
  block,
  chosen,
  cidr,
  inventory,
  policySet,
  rule,
  stage,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

describe("exemptions", () => {
  const closed = one("denyOverrides", []);

  it("exempts what no workload owns, a workload's way to itself, and the node's way in", () => {
    expect(ingress(closed, { destination: WORLD })).toBe("allow not-a-workload");
    expect(ingress(closed, { destination: "10.0.0.254" })).toBe("allow not-a-workload");
    expect(ingress(closed, { source: "10.0.0.1" })).toBe("allow hairpin");
    expect(ingress(closed, { source: "fd00::1" })).toBe("allow hairpin");
    expect(ingress(closed, { source: "10.0.0.254" })).toBe("allow node");
    expect(ingress(closed)).toBe("drop isolation b");
  });

  it("exempts neither when the profile says so", () => {
    const strict = policySet(closed.stages, { nodeExempt: false, hairpinExempt: false });
    expect(ingress(strict, { source: "10.0.0.1" })).toBe("drop isolation b");
    expect(ingress(strict, { source: "10.0.0.254" })).toBe("drop isolation b");
  });

  it("says nothing else of what is exempt", () => {
    expect(ask(closed, { source: "10.0.0.254" }).ingress).toEqual({
      direction: "ingress",
      verdict: "allow",
      determinedBy: { kind: "exemption", exemption: "node" },
      logged: [],
      ambiguous: false,
    });
  });

  it("does not exempt the way from a workload to its node", () => {
    const shut = policySet([
      stage("s", "denyOverrides", [block("b", "egress", "shop:app=web", [])]),
    ]);
    const out = ask(shut, { source: "10.0.0.1", destination: "10.0.0.254" });
    expect(out.egress).toMatchObject({ verdict: "drop", determinedBy: { kind: "isolation" } });
    expect(out.verdict).toBe("drop");
  });
});

describe("an address that several workloads claim", () => {
  const shut = policySet([
    stage("s", "denyOverrides", [
      block("a", "ingress", "x:app=a", [rule("allow", [any], [tcp(1, 3)])]),
      block("b", "ingress", "x:app=b", [rule("allow", [any], [tcp(2, 4)])]),
      block("from", "ingress", "x:app=c", [rule("allow", [chosen("x:app=a")])]),
    ]),
  ]);
  const a = workload("x/a", ["10.1.0.1", "10.1.0.2", "10.1.0.3"], { app: "a" });
  const b = workload("x/b", ["10.1.0.2", "10.1.0.3"], { app: "b" });
  const c = workload("x/c", "10.1.0.9", { app: "c" });
  const claimed = indexInventory(inventory([a, b, c]));
  const verdict = (source: string, destination: string, port: number) =>
    decide(shut, claimed, { source, destination, protocol: TCP, port }, { now: T0, view: "live" })
      .verdict;

  it("is judged by the strictest of them, as subject and as peer", () => {
    const ports = [1, 2, 3, 4];
    expect(ports.map((port) => verdict(WORLD, "10.1.0.2", port))).toEqual([
      "drop",
      "allow",
      "allow",
      "drop",
    ]);
    expect(verdict("10.1.0.1", "10.1.0.9", 80)).toBe("allow");
    expect(verdict("10.1.0.2", "10.1.0.9", 80)).toBe("drop");
  });

  it("is judged in the compiled maps as here, with prefixes, and where one of them has no policy", () => {
    const own = workload("x/own", "10.1.0.9", { app: "own" });
    const set = policySet([
      stage("s", "firstMatch", [
        block("b", "ingress", "x:app=b", [
          rule("deny", [cidr("10.1.0.8/30", { matchesWorkloads: true })], [tcp(1)]),
          rule("allow", [cidr("10.1.0.0/16", { matchesWorkloads: true })], [tcp(1, 2)]),
        ]),
        block("c", "ingress", "x:app=c", [
          rule("allow", [any], [tcp(1)]),
          rule("reject", [cidr("10.1.0.9/32", { matchesWorkloads: true })], [tcp(2)]),
          rule("allow", [any], [tcp(2, 3)]),
        ]),
      ]),
    ]);
    const first = workload("x/a", "10.1.0.2", { app: "a" });
    const all = inventory([
      first,
      { ...b, addresses: ["10.1.0.2", "10.1.0.3"] },
      { ...c, addresses: ["10.1.0.3"] },
      own,
    ]);
    const known = indexInventory(all);
    const judged = (destination: string, port: number) => {
      const flow = { source: "10.1.0.9", destination, protocol: TCP, port };
      const said = decide(set, known, flow, { now: T0, view: "live" });
      holdCompiledTo(said, set, all, flow, { now: T0, view: "live" });
      const by = said.ingress.determinedBy;
      return `${said.verdict} ${by.kind === "rule" ? by.rule : by.kind}`;
    };
    // Shared with a workload that no policy selects: allowed where the other's policy allows.
    expect([1, 2, 3].map((port) => judged("10.1.0.2", port))).toEqual([
      "drop b/0",
      "allow default",
      "drop isolation",
    ]);
    // Shared with one that has a policy of its own.
    expect([1, 2, 3].map((port) => judged("10.1.0.3", port))).toEqual([
      "drop b/0",
      "reject c/1",
      "drop isolation",
    ]);
  });

  it("is not one workload with the permissions of both", () => {
    const set = policySet([
      stage("s", "denyOverrides", [
        block("c", "ingress", "x:app=c", [
          rule("allow", [chosen("x:role=p")], [tcp(1)]),
          rule("allow", [chosen("x:tier=q")], [tcp(2)]),
        ]),
      ]),
    ]);
    const all = inventory([
      workload("x/p", ["10.1.0.1", "10.1.0.5"], { role: "p" }),
      workload("x/q", "10.1.0.1", { tier: "q" }),
      workload("x/pq", "10.1.0.2", { role: "p", tier: "q" }),
      c,
    ]);
    const known = indexInventory(all);
    const from = (source: string) =>
      [1, 2].map((port) => {
        const flow = { source, destination: "10.1.0.9", protocol: TCP, port };
        const said = decide(set, known, flow, { now: T0, view: "live" });
        holdCompiledTo(said, set, all, flow, { now: T0, view: "live" });
        return said.verdict;
      });
    expect(from("10.1.0.5")).toEqual(["allow", "drop"]);
    expect(from("10.1.0.2")).toEqual(["allow", "allow"]);
    expect(from("10.1.0.1")).toEqual(["drop", "drop"]);
  });

  it("is nobody's own for sure, so the way there is no hairpin", () => {
    expect(verdict("10.1.0.1", "10.1.0.1", 9)).toBe("allow");
    expect(verdict("10.1.0.1", "10.1.0.2", 9)).toBe("drop");
    expect(verdict("10.1.0.3", "10.1.0.2", 9)).toBe("drop");
  });

  it("is no hairpin either where the same two claim both ends", () => {
    // Only of the reading from a to a would anybody deny anything.
    const set = policySet([
      stage("s", "denyOverrides", [
        block("a", "ingress", "x:app=a", [rule("allow", [chosen("x:app=b")])]),
      ]),
    ]);
    const flow = { source: "10.1.0.2", destination: "10.1.0.3", protocol: TCP, port: 9 };
    const said = decide(set, claimed, flow, { now: T0, view: "live" });
    holdCompiledTo(said, set, claimed.inventory, flow, { now: T0, view: "live" });
    expect(said.ingress).toMatchObject({ verdict: "drop", determinedBy: { kind: "isolation" } });
  });
});

describe("both ends", () => {
  it("takes egress's verdict when it denies, else ingress's", () => {
    const set = policySet([
      stage("s", "firstMatch", [
        block("in", "ingress", "shop:app=web", [rule("reject", [any])]),
        block("out", "egress", "shop:app=db", [rule("deny", [any])]),
      ]),
    ]);
    expect(ask(set).verdict).toBe("drop");
    expect(ask(set, { source: WORLD }).verdict).toBe("reject");
    expect(ask(set, { source: WORLD, destination: WORLD }).verdict).toBe("allow");
    expect(ask(set).egress.direction).toBe("egress");
    expect(ask(set).ingress.direction).toBe("ingress");
  });
});
