/** Decisions with an end, compiled: what lies on top while they last, and what lies beneath. */
import { describe, expect, it } from "vitest";
import { TCP, type MapSet } from "@bulkhead/model";
import type { CompileResult } from "../src/index.ts";
import { db, compiled, onDb, mapText } from "./compiled.ts";
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

describe("the overlay", () => {
  const until = (ms: number) => ({ expiresAt: T0 + ms });
  const overlayText = (result: CompileResult, maps: MapSet = result.policy.live) => {
    const names = new Map(result.cookies.map(({ cookie, rule: name }) => [cookie, name]));
    return maps.overlay.map(
      ({ peer, protocol, ports, decision, deadline }) =>
        `${peer.join("-")} ${protocol}/${ports.join("-")} ${decision.verdict} by ${names.get(decision.cookie)} +${deadline - T0}`,
    );
  };

  it("holds the allow of an Exception while it lasts; beneath lies what follows", () => {
    const set = nativeSet({
      exception: [
        block(
          "look",
          "ingress",
          "shop:app=db",
          [rule("allow", [chosen("shop:app=web")], [tcp(5432)], until(1000))],
          { isolates: false, ...until(1000) },
        ),
      ],
      application: [block("db", "ingress", "shop:app=db", [])],
    });
    const result = compiled(set);
    expect(overlayText(result)).toEqual(["10.0.0.1-10.0.0.1 6/5432-5432 allow by look/0 +1000"]);
    expect(mapText(result)).toEqual({ exact: [], ranges: [], default: "else drop by db" });
    expect(result.nextChangeAt).toBe(T0 + 1000);
    expect(result.capacity.overlayEntries).toBe(1);
  });

  it("covers whole stretches of addresses, with holes where another decision holds", () => {
    const set = onDb([
      rule("allow", [{ kind: "entity", entity: "world" }], [tcp(443)], until(5)),
      rule("deny", [cidr("192.0.2.0/24")]),
    ]);
    expect(overlayText(compiled(set))).toEqual([
      "0.0.0.0-10.0.0.0 6/443-443 allow by db/0 +5",
      "10.0.0.4-192.0.1.255 6/443-443 allow by db/0 +5",
      "192.0.3.0-223.255.255.255 6/443-443 allow by db/0 +5",
      "240.0.0.0-255.255.255.254 6/443-443 allow by db/0 +5",
      "::-fd00::1 6/443-443 allow by db/0 +5",
      "fd00::3-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
    ]);
  });

  it("covers a prefix of the world, or the world beside the prefixes, where nobody known is concerned", () => {
    const far = onDb([rule("allow", [cidr("198.51.100.0/24")], [tcp(443)], until(5))]);
    expect(overlayText(compiled(far))).toEqual([
      "198.51.100.0-198.51.100.255 6/443-443 allow by db/0 +5",
    ]);
    const beside = onDb([
      rule("allow", [any], [tcp(443)], until(5)),
      rule("deny", [
        cidr("0.0.0.0/0", { matchesWorkloads: true }),
        cidr("fc00::/7", { matchesWorkloads: true }),
      ]),
    ]);
    expect(overlayText(compiled(beside))).toEqual([
      "::-fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
      "fe00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
    ]);
  });

  it("covers the last address of a family, where it alone is left", () => {
    const last = onDb([
      rule("allow", [any], [tcp(443)], until(5)),
      rule("deny", [
        cidr("0.0.0.0/0", { except: ["255.255.255.255/32"], matchesWorkloads: true }),
        cidr("::/0", { matchesWorkloads: true }),
      ]),
    ]);
    expect(overlayText(compiled(last))).toEqual([
      "255.255.255.255-255.255.255.255 6/443-443 allow by db/0 +5",
    ]);
  });

  it("takes known addresses into a stretch that says the same, and leaves single ones single", () => {
    const everybody = onDb([rule("allow", [any], [tcp(443)], until(5))]);
    expect(overlayText(compiled(everybody))).toEqual([
      "0.0.0.0-255.255.255.255 6/443-443 allow by db/0 +5",
      "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 6/443-443 allow by db/0 +5",
    ]);
    const some = onDb([rule("allow", [chosen("shop:")], [tcp(443)], until(5))]);
    expect(overlayText(compiled(some))).toEqual([
      "10.0.0.1-10.0.0.1 6/443-443 allow by db/0 +5",
      "10.0.0.2-10.0.0.2 6/443-443 allow by db/0 +5",
      "10.0.0.3-10.0.0.3 6/443-443 allow by db/0 +5",
      "fd00::2-fd00::2 6/443-443 allow by db/0 +5",
    ]);
  });

  it("does not take a small IPv6 address for an IPv4 one", () => {
    const six = workload("shop/six", "::5", { app: "web" });
    const set = onDb([rule("allow", [chosen("shop:app=web")], [tcp(443)], until(5))]);
    expect(overlayText(compiled(set, [db], inventory([six, db])))).toEqual([
      "::5-::5 6/443-443 allow by db/0 +5",
    ]);
  });

  it("spells out all protocols where every port is meant", () => {
    const { policy } = compiled(
      onDb([
        rule("allow", [chosen("shop:app=web")], [everyPort], until(5)),
        rule("deny", [any], [tcp(80)]),
      ]),
    );
    const protocols = policy.live.overlay.map(({ protocol }) => protocol);
    expect(new Set(protocols).size).toBe(256);
    const ofTcp = policy.live.overlay.filter(({ protocol }) => protocol === TCP);
    expect(ofTcp.map(({ ports }) => ports)).toEqual([
      [0, 79],
      [81, 65535],
    ]);
  });

  it("ends at the first of several changes, and lies on the strictest of what follows", () => {
    // allowed until +10, then rejected until +20, then allowed for ever: never allowed in between.
    const set = nativeSet({
      emergency: [
        block("e", "ingress", "shop:app=db", [rule("allow", [any], [tcp(80)], until(10))], {
          isolates: false,
        }),
      ],
      guardrail: [
        block("g", "ingress", "shop:app=db", [rule("reject", [any], [tcp(80)], until(20))], {
          isolates: false,
        }),
      ],
      application: [block("db", "ingress", "shop:app=db", [rule("allow", [any])])],
    });
    const result = compiled(set);
    expect(new Set(overlayText(result).map((text) => text.split(" ").slice(1).join(" ")))).toEqual(
      new Set(["6/80-80 allow by e/0 +10"]),
    );
    expect(mapText(result).default).toBe(
      "6/0-79 allow by db/0, 6/80-80 reject by g/0, 6/81-65535 allow by db/0, else allow by db/0",
    );
    expect(result.nextChangeAt).toBe(T0 + 10);
  });

  it("denies all along where an allow lies between two denials", () => {
    // Only a new compilation opens it at +10.
    const set = nativeSet({
      emergency: [
        block("e", "ingress", "shop:app=db", [rule("deny", [any], [tcp(80)], until(10))], {
          isolates: false,
        }),
      ],
      guardrail: [
        block("g", "ingress", "shop:app=db", [rule("allow", [any], [tcp(80)], until(20))], {
          isolates: false,
        }),
      ],
      application: [block("db", "ingress", "shop:app=db", [rule("deny", [any])])],
    });
    const texts = overlayText(compiled(set));
    expect(new Set(texts.map((text) => text.split(" ").slice(1).join(" ")))).toEqual(
      new Set(["6/80-80 drop by e/0 +10"]),
    );
  });

  it("follows a block that will stop isolating, on the minute for the protocols that people use", () => {
    const result = compiled(onDb([], until(30)));
    expect(mapText(result).default).toBe(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 allow by default, `).join("") +
        "else drop by db",
    );
    expect(overlayText(result)).toEqual(
      ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].flatMap((peer) =>
        [1, 6, 17, 58, 132].map((protocol) => `${peer} ${protocol}/0-65535 drop by db +30`),
      ),
    );
  });

  /** Guardrails on db's ingress, in the order given. */
  const guardrails = (...rules: Parameters<typeof block>[3]) =>
    rules.map((one, i) =>
      block(`g${i}`, "ingress", "shop:app=db", [one], { isolates: false, order: [i] }),
    );
  const lock = block("db", "ingress", "shop:app=db", []);
  const everywhere = (result: CompileResult) => [
    ...new Set(overlayText(result).map((text) => text.slice(text.indexOf(" ") + 1))),
  ];

  it("lies on the strictest of all that follows, not on what follows first", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(10)),
        rule("allow", [any], [tcp(80)], until(20)),
        rule("reject", [any], [tcp(80)], until(30)),
      ),
      application: [lock],
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(["6/80-80 allow by g0/0 +10"]);
    expect(mapText(result).default).toBe("else drop by db");
  });

  it("lies on the first of several that are equally strict", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(10)),
        rule("deny", [any], [tcp(80)], until(20)),
      ),
      application: [lock],
    });
    expect(mapText(compiled(set)).default).toBe(
      "6/0-79 drop by db, 6/80-80 drop by g1/0, 6/81-65535 drop by db, else drop by db",
    );
  });

  it("ends for each port when something changes there, whatever ends elsewhere before", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(80)], until(20)),
        rule("allow", [any], [tcp(80, 81)], until(10)),
        rule("reject", [any], [tcp(90)], until(20)),
      ),
      application: [lock],
    });
    expect(everywhere(compiled(set))).toEqual([
      "6/80-80 allow by g0/0 +20",
      "6/81-81 allow by g1/0 +10",
      "6/90-90 reject by g2/0 +20",
    ]);
  });

  it("keeps a denial to its own end, though something else ends before", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("deny", [any], [tcp(80)], until(20)),
        rule("deny", [any], [tcp(99)], until(10)),
      ),
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(["6/80-80 drop by g0/0 +20", "6/99-99 drop by g1/0 +10"]);
    expect(mapText(result).default).toBe("else allow by default");
  });

  it("makes one piece of neighbouring ports with one decision and one end, and only of these", () => {
    const set = nativeSet({
      guardrail: guardrails(
        rule("allow", [any], [tcp(1, 10), tcp(11, 20)], until(5)),
        rule("allow", [any], [tcp(21, 30), tcp(32, 40)], until(5)),
      ),
      application: [lock],
    });
    expect(everywhere(compiled(set))).toEqual([
      "6/1-20 allow by g0/0 +5",
      "6/21-30 allow by g1/0 +5",
      "6/32-40 allow by g1/0 +5",
    ]);
  });

  it("needs no piece where what is now comes back for good, and parts one decision by its ends", () => {
    // A pass hides g until +10; the lock itself ends at +20.
    const set = policySet([
      stage(
        "a",
        "firstMatch",
        [
          block("pass", "ingress", "shop:app=db", [rule("pass", [any], [tcp(80, 81)], until(10))], {
            isolates: false,
          }),
        ],
        { onPass: "c" },
      ),
      stage("b", "firstMatch", [
        block(
          "g",
          "ingress",
          "shop:app=db",
          [rule("allow", [any], [tcp(80)], until(15)), rule("reject", [any], [tcp(81)])],
          { isolates: false },
        ),
      ]),
      stage("c", "denyOverrides", [
        block(
          "deny",
          "ingress",
          "shop:app=db",
          [rule("deny", [any], [tcp(79, 80)]), rule("deny", [any], [tcp(81, 82)], until(20))],
          { isolates: false },
        ),
      ]),
    ]);
    const result = compiled(set);
    expect(everywhere(result)).toEqual([
      "6/81-81 drop by deny/1 +10",
      "6/82-82 drop by deny/1 +20",
    ]);
    expect(mapText(result).default).toBe(
      "6/0-78 allow by default, 6/79-80 drop by deny/0, 6/81-81 reject by g/1, 6/82-65535 allow by default, else allow by default",
    );
  });

  it("does not spell out every protocol where only who denies changes", () => {
    const set = nativeSet({
      guardrail: guardrails(rule("deny", [any], [everyPort], until(10))),
      application: [lock],
    });
    const result = compiled(set);
    expect(everywhere(result)).toEqual(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 drop by g0/0 +10`),
    );
    expect(mapText(result).default).toBe(
      [1, 6, 17, 58, 132].map((protocol) => `${protocol}/0-65535 drop by db, `).join("") +
        "else drop by g0/0",
    );
  });

  it("is there for the shadow too", () => {
    const set = onDb([
      rule("allow", [chosen("shop:app=web")], [tcp(1)], { enforce: "staged", ...until(9) }),
    ]);
    const result = compiled(set);
    expect(result.policy.live.overlay).toEqual([]);
    expect(overlayText(result, result.policy.shadow)).toEqual([
      "10.0.0.1-10.0.0.1 6/1-1 allow by db/0 +9",
    ]);
  });
});
