/** What a compilation tells besides maps and subjects: endpoints, modes, diagnostics, cookies, the next change. */
import { describe, expect, it } from "vitest";
import { NOWHERE, type HostPolicy } from "@bulkhead/model";
import { compile } from "../src/index.ts";
import { web, db, cache, world, compiled, onDb, mapText } from "./compiled.ts";
import {
  any,
  block,
  chosen,
  cidr,
  everyPort,
  inventory,
  nativeSet,
  policySet,
  rule,
  stage,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";
import { endpointOf } from "./worlds.ts";

describe("the rest of a compilation", () => {
  it("leaves out links that no rule can name, and tells of them; their workloads stay subjects", () => {
    const set = nativeSet({ application: [block("db", "ingress", "shop:app=db", [])] });
    const endpoints = [endpointOf(web), { ...endpointOf(db), interface: 'v"x' }];
    const plain = { interface: "eth0", ifindex: 9 };
    const { policy, leftOut } = compile(set, world, {
      now: T0,
      revision: 7,
      endpoints,
      ports: [{ interface: "a;b", ifindex: 8 }, plain],
    });
    expect(policy.endpoints.map((one) => one.workload)).toEqual(["shop/web"]);
    expect(policy.ports).toEqual([plain]);
    expect(leftOut).toEqual([
      { interface: "a;b" },
      { interface: 'v"x', workload: "shop/db", mode: "enforce" },
    ]);
    expect(policy.live.subjects.ingress.map(([address]) => address)).toEqual([
      "10.0.0.2",
      "fd00::2",
    ]);
  });

  it("names endpoints with their modes, sorted, their addresses sorted", () => {
    const set = nativeSet({
      application: [
        block("db", "ingress", "shop:app=db", []),
        block("web", "ingress", "shop:app=web", [], { enforce: "staged" }),
      ],
    });
    const lateName = { ...endpointOf(db), addresses: ["fd00::2", "10.0.0.2"] };
    const second = { ...endpointOf(db), interface: "veth-a", addresses: [] };
    const { policy, modes } = compile(set, world, {
      now: T0,
      revision: 7,
      endpoints: [endpointOf(web), lateName, second, endpointOf(cache)],
    });
    expect(policy.revision).toBe(7);
    expect(policy.endpoints).toEqual([
      {
        workload: "shop/cache",
        interface: "veth-cache",
        ifindex: 1,
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.3"],
        mode: "observe",
      },
      {
        workload: "shop/db",
        interface: "veth-a",
        ifindex: 1,
        mac: "02:00:00:00:00:01",
        addresses: [],
        mode: "enforce",
      },
      {
        workload: "shop/db",
        interface: "veth-db",
        ifindex: 1,
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.2", "fd00::2"],
        mode: "enforce",
      },
      {
        workload: "shop/web",
        interface: "veth-web",
        ifindex: 1,
        mac: "02:00:00:00:00:01",
        addresses: ["10.0.0.1"],
        mode: "audit",
      },
    ]);
    expect(modes).toEqual({ "shop/web": "audit", "shop/db": "enforce", "shop/cache": "observe" });
  });

  it("names the bridges' other ports, sorted, and observes whoever is on the host's network", () => {
    const guest = { ...workload("shop/guest", "10.0.0.9", { app: "db" }), hostNetwork: true };
    const all = inventory([db, guest]);
    const port = (name: string) => ({ interface: name, ifindex: 3 });
    const ports = [port("eth1"), port("eth0"), port("tap7")];
    const options = { now: T0, revision: 1, endpoints: [endpointOf(db)] };
    const { policy, modes } = compile(onDb([]), all, { ...options, ports });
    expect(policy.ports).toEqual([port("eth0"), port("eth1"), port("tap7")]);
    expect(modes).toEqual({ "shop/db": "enforce", "shop/guest": "observe" });
    expect(compile(onDb([]), all, options).policy.ports).toEqual([]);
  });

  it("reports rules of one priority that disagree about a prefix of the world", () => {
    const about = (id: string, action: "allow" | "deny") =>
      block(id, "ingress", "shop:app=db", [rule(action, [cidr("192.0.2.0/24")])], {
        isolates: false,
      });
    const guardrail = [about("a", "allow"), about("b", "deny")];
    const told = (more: Parameters<typeof nativeSet>[0] = {}) =>
      compiled(nativeSet({ guardrail, ...more })).diagnostics.map(({ message }) => message);
    const message = "`b/0` and `a/0` have the same priority and disagree";
    expect(told()).toEqual([message]);
    const soon = rule("allow", [any], [tcp(80)], { expiresAt: T0 + 1 });
    const emergency = [block("e", "ingress", "shop:app=db", [soon], { isolates: false })];
    expect(told({ emergency })).toEqual([message]);
  });

  it("says when an endpoint's workload is unknown, and observes it", () => {
    const ghost = workload("shop/ghost", "10.0.0.9");
    const { policy, diagnostics } = compiled(onDb([]), [ghost]);
    expect(policy.endpoints).toMatchObject([{ workload: "shop/ghost", mode: "observe" }]);
    expect(policy.live.maps).toEqual([]);
    expect(diagnostics).toMatchObject([
      {
        code: "BH0601",
        severity: "warning",
        span: NOWHERE,
        help: "no policy can select it; its traffic is judged at the other end only",
        message:
          "endpoint `veth-ghost` belongs to workload `shop/ghost`, which the inventory does not know",
      },
    ]);
    expect(compiled(onDb([])).diagnostics).toEqual([]);
  });

  it("reports rules of one priority that disagree, where they meet and nowhere else", () => {
    const guardrail = (id: string, draft: ReturnType<typeof rule>, order: number[]) =>
      block(id, "ingress", "shop:app=db", [draft], { isolates: false, order });
    const set = nativeSet({
      guardrail: [
        guardrail("first", rule("deny", [any], [tcp(9)]), [1]),
        guardrail("a", rule("allow", [any], [tcp(1, 10)]), [2]),
        guardrail("b", rule("reject", [any], [tcp(10, 20)]), [2]),
        guardrail("c", rule("deny", [any], [tcp(9)]), [2]),
        guardrail("d", rule("deny", [chosen("shop:app=nobody")]), [2]),
        guardrail("e", rule("deny", [any]), [3]),
        guardrail("f", rule("deny", [any], [tcp(2)]), [2]),
      ],
    });
    const { diagnostics } = compiled(set);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      "`b/0` and `a/0` have the same priority and disagree",
      "`f/0` and `a/0` have the same priority and disagree",
    ]);
    expect(diagnostics.slice(0, 1)).toEqual([
      {
        code: "BH0603",
        severity: "warning",
        span: { file: "test.yaml", line: 1, column: 1 },
        message: "`b/0` and `a/0` have the same priority and disagree",
        help: "`reject` is taken, being the stricter; to have it otherwise, give them different priorities",
      },
    ]);
  });

  it("keeps an address that a workload claims out of the host's", () => {
    const all = inventory(
      [{ ...web, addresses: ["10.0.0.254"] }],
      ["fd00::fe", "10.0.0.254", "10.0.0.253"],
    );
    expect(compiled(onDb([]), [], all).policy.hostAddresses).toEqual(["10.0.0.253", "fd00::fe"]);
  });

  it("knows the next moment at which something expires, and none that is past", () => {
    const at = (ruleEnd: number | undefined, blockEnd: number | undefined) =>
      compiled(
        onDb([rule("allow", [any], [everyPort], { expiresAt: ruleEnd })], { expiresAt: blockEnd }),
      ).nextChangeAt;
    expect(at(undefined, undefined)).toBeNull();
    expect(at(T0 + 2, T0 + 1)).toBe(T0 + 1);
    expect(at(T0 + 1, T0 + 2)).toBe(T0 + 1);
    expect(at(T0, T0 + 2)).toBe(T0 + 2);
    expect(at(T0 - 1, undefined)).toBeNull();
  });

  it("gives every rule and block a cookie of its own, sorted, the same in every set", () => {
    const first = compiled(onDb([rule("allow", [any])])).cookies;
    expect(first.map(({ rule: name }) => name).toSorted()).toEqual(["db", "db/0"]);
    expect(first.every(({ cookie }) => /^[0-9a-f]{8}$/.test(cookie))).toBe(true);
    expect(first.map(({ cookie }) => cookie)).toEqual(first.map(({ cookie }) => cookie).toSorted());
    const cookieOf = (found: typeof first, name: string) =>
      found.find((one) => one.rule === name)?.cookie;
    const second = compiled(onDb([rule("deny", [any]), rule("allow", [any])])).cookies;
    expect(cookieOf(second, "db/0")).toBe(cookieOf(first, "db/0"));
    expect(cookieOf(second, "db/1")).not.toBe(cookieOf(first, "db/0"));
  });

  it("sorts maps by direction and class, and rows by id", () => {
    const set = nativeSet({
      application: [
        block("a", "ingress", "shop:app=db", [rule("allow", [any], [tcp(1)])]),
        block("b", "egress", "shop:app=db", [rule("allow", [any], [tcp(2)])]),
        block("c", "ingress", "shop:app=web", [rule("allow", [any], [tcp(3)])]),
        block("d", "egress", "shop:app=web", [rule("allow", [any], [tcp(4)])]),
        block("e", "ingress", "shop:app=cache", [rule("allow", [any], [tcp(5)])]),
      ],
    });
    const { live, rows }: HostPolicy = compiled(set, [cache, web, db]).policy;
    const keys = live.maps.map(({ direction, classId }) => `${direction} ${classId}`);
    expect(keys).toHaveLength(5);
    expect(keys).toEqual(keys.toSorted());
    const ids = rows.map(({ id }) => id);
    expect(ids).toHaveLength(5);
    expect(ids).toEqual(ids.toSorted());
  });

  it("asks where a pass goes only of stages that pass", () => {
    const backwards = (action: "allow" | "pass") =>
      compiled(
        policySet([
          stage("a", "firstMatch", []),
          stage("b", "firstMatch", [block("b", "ingress", "shop:app=db", [rule(action, [any])])], {
            onPass: "a",
          }),
        ]),
      );
    expect(mapText(backwards("allow")).default).toBe("else allow by b/0");
    expect(() => backwards("pass")).toThrow("stage `b` passes to `a`");
  });

  it("judges a stage of its own plane, and passes only within it", () => {
    const set = policySet([
      stage(
        "net",
        "firstMatch",
        [block("n", "ingress", "shop:app=db", [rule("pass", [any], [tcp(1)])])],
        {
          onPass: null,
        },
      ),
      stage(
        "mesh",
        "firstMatch",
        [block("m", "ingress", "shop:app=db", [rule("reject", [any], [tcp(1)])])],
        {
          plane: "mesh",
          endIfApplied: "pass",
        },
      ),
    ]);
    expect(mapText(compiled(set)).default).toBe(
      "6/0-0 drop by n, 6/1-1 reject by m/0, 6/2-65535 drop by n, else drop by n",
    );
  });
});
