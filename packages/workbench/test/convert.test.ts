/** Conversions in single cases: how stages are arranged for a target, and that what differs is never let through. */
import { findTarget, type Approximation, type Target } from "@bulkhead/dialects";
import { describe, expect, test } from "vitest";
import { convert, isRefused } from "../src/desk/index.ts";
import { WORLD } from "./convert-arbitrary.ts";

const world = { name: "world.yaml", text: WORLD.map((one) => JSON.stringify(one)).join("\n---\n") };
const target = (name: string): Target => findTarget(name)!;
const converted = (text: string, to: Target, approximation?: Approximation) => {
  const conversion = convert([world, { name: "x.yaml", text }], to, {
    now: 0,
    ...(approximation && { approximation }),
  });
  const { written, proof, relation } = conversion;
  return {
    refused: isRefused(conversion),
    answer: proof?.answer,
    proof,
    relation,
    objects: written.objects as readonly {
      readonly kind: string;
      readonly metadata: { readonly name: string };
      readonly spec: Readonly<Record<string, unknown>>;
    }[],
    said: written.diagnostics.map(({ severity, message }) => `${severity} ${message}`),
  };
};
const policy = (
  apiVersion: string,
  kind: string,
  name: string,
  spec: string,
  namespace = "",
): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}${namespace && `, namespace: ${namespace}`} }\nspec: ${spec}\n`;
const native = (name: string, spec: string) =>
  policy("bulkhead.dev/v1", "Policy", name, spec, "shop");
const calico = (name: string, spec: string) =>
  policy("projectcalico.org/v3", "GlobalNetworkPolicy", name, spec);
const antrea = (name: string, spec: string) =>
  policy("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", name, spec);
const TIER = policy("projectcalico.org/v3", "Tier", "security", "{ order: 100 }");
const join = (...texts: readonly string[]) => texts.join("---\n");

describe("what is written is proved", () => {
  const source = native(
    "db",
    "{ subject: app=db, ingress: [{ from: [app=web], ports: [80/tcp] }] }",
  );

  test("a printer that loses a policy is refused, with a packet", () => {
    const { write, ...rest } = target("cilium");
    const losing: Target = {
      ...rest,
      write: (set, options) => ({ ...write(set, options), objects: [], text: "" }),
    };
    const { refused, answer, proof } = converted(source, losing);
    expect([refused, answer]).toEqual([true, "no"]);
    expect(proof?.counterexample).toMatchObject({ permittedBy: "other" });
    expect(converted(source, target("cilium")).refused).toBe(false);
  });

  test("so is one whose text cannot be read again", () => {
    const garbling: Target = {
      ...target("cilium"),
      write: () => ({ objects: [], text: "kind: CiliumNetworkPolicy\n", diagnostics: [] }),
    };
    const { refused, proof } = converted(source, garbling);
    expect(refused).toBe(true);
    expect(proof?.because).toContain("cannot be read again");
  });

  test("an approximation on the wrong side is refused", () => {
    const { write, ...rest } = target("kubernetes");
    const wide = native(
      "db",
      "{ subject: app=db, ingress: [{ from: [app=web], ports: [80/tcp, gre] }] }",
    );
    const { relation, answer } = converted(wide, target("kubernetes"), "under");
    expect([relation, answer]).toEqual(["less", "yes"]);
    const opening: Target = {
      ...rest,
      write: (set, options) => ({ ...write(set, options), objects: [], text: "" }),
    };
    const wrong = converted(wide, opening, "under");
    expect([wrong.refused, wrong.proof?.counterexample?.permittedBy]).toEqual([true, "other"]);
  });
});

describe("stages find their place", () => {
  const ends = join(
    TIER,
    calico(
      "security.db",
      "{ tier: security, order: 1, selector: app == 'db', ingress: [{ action: Allow, source: { selector: app == 'web' } }, { action: Deny, source: { nets: [203.0.113.0/24] } }] }",
    ),
  );

  test("the end of a Calico tier is said as a denial", () => {
    const { objects, said, answer } = converted(ends, target("bulkhead"));
    expect([said, answer]).toEqual([[], "yes"]);
    expect(objects.map(({ spec }) => spec["tier"])).toEqual(["guardrail"]);
    const ingress = objects[0]?.spec["ingress"] as readonly unknown[] | undefined;
    expect(ingress?.at(-1)).toEqual({ action: "deny", from: [{ any: true }] });
  });

  test("a tier that only allows is NetworkPolicy", () => {
    const only = calico(
      "db",
      "{ order: 1, selector: app == 'db', namespaceSelector: env == 'prod', ingress: [{ action: Allow, protocol: TCP, source: { selector: app == 'web' }, destination: { ports: [80] } }] }",
    );
    const { objects, said, answer } = converted(only, target("kubernetes"));
    const later =
      "info this policy is for whatever namespaces there will be, and is written in those of the files";
    expect([said, answer]).toEqual([[later], "yes"]);
    expect(objects.map(({ kind }) => kind)).toEqual(["NetworkPolicy", "NetworkPolicy"]);
  });

  test("tiers that nothing passes out of are one, and others are refused", () => {
    const rules = (action: string) =>
      `{ priority: 5, tier: emergency, appliedTo: [{ podSelector: { matchLabels: { app: db } } }], ingress: [{ action: ${action}, from: [{ podSelector: { matchLabels: { app: web } } }] }] }`;
    const second = antrea(
      "b",
      "{ priority: 5, tier: application, appliedTo: [{ podSelector: { matchLabels: { app: db } } }], ingress: [{ action: Drop, from: [{ podSelector: {} }] }] }",
    );
    const joined = converted(join(antrea("a", rules("Allow")), second), target("cnp"));
    expect([joined.said, joined.answer]).toEqual([[], "yes"]);
    expect(joined.objects.map(({ spec }) => [spec["tier"], spec["priority"]])).toEqual([
      ["Admin", 0],
      ["Admin", 1],
    ]);
    // Who passes in a tier of Antrea's is asked in none of the others, as in the one tier.
    expect(converted(join(antrea("a", rules("Pass")), second), target("cnp")).answer).toBe("yes");
    const railed = join(
      native(
        "a",
        "{ tier: emergency, subject: app=db, ingress: [{ action: pass, from: [app=web], ports: [80/tcp] }] }",
      ),
      native(
        "b",
        "{ tier: guardrail, subject: app=db, ingress: [{ action: deny, from: [app=web], ports: [80/tcp] }] }",
      ),
    );
    const passing = converted(railed, target("cnp"));
    expect(passing.refused).toBe(true);
    expect(passing.said.join()).toContain("stands in stage `emergency`");
    expect(converted(railed, target("calico")).answer).toBe("yes");
  });

  test("denials that overrule stand in a tier before what they overrule", () => {
    const cilium = policy(
      "cilium.io/v2",
      "CiliumNetworkPolicy",
      "db",
      "{ endpointSelector: { matchLabels: { app: db } }, ingress: [{ fromEndpoints: [{}] }], ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: web } }] }] }",
      "shop",
    );
    const { objects, said, answer } = converted(cilium, target("calico"));
    expect([said, answer]).toEqual([[], "yes"]);
    expect(objects.map(({ kind, metadata, spec }) => [kind, metadata.name, spec["tier"]])).toEqual([
      ["Tier", "denials", undefined],
      ["NetworkPolicy", "denials.db", "denials"],
      ["NetworkPolicy", "db", "default"],
    ]);
    expect(converted(cilium, target("cnp")).objects.map(({ kind }) => kind)).toEqual([
      "ClusterNetworkPolicy",
      "NetworkPolicy",
    ]);
  });

  test("denials of ours overrule in Cilium", () => {
    const rail = native(
      "rail",
      "{ tier: guardrail, subject: app=db, ingress: [{ action: deny, from: [app=web], ports: [80/tcp] }] }",
    );
    const { objects, said, answer } = converted(rail, target("cilium"));
    expect([said, answer]).toEqual([[], "yes"]);
    expect(objects[0]?.spec).toMatchObject({
      enableDefaultDeny: { ingress: false },
      ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: "web" } }] }],
    });
  });

  test("everybody but pods is said by a policy of the whole cluster", () => {
    const outside = native(
      "out",
      "{ tier: guardrail, subject: app=db, ingress: [{ from: [{ entity: world }], ports: [80/tcp] }, { action: deny, from: [{ any: true }] }] }",
    );
    expect(converted(outside, target("calico")).said).toEqual([
      "error this rule speaks of `world`, which Calico cannot say",
    ]);
    const { objects, answer, relation } = converted(outside, target("calico"), "over");
    expect([relation, answer]).toEqual(["more", "yes"]);
    expect(objects.map(({ kind }) => kind)).toEqual(["Tier", "GlobalNetworkPolicy"]);
    expect(objects[1]?.spec["ingress"]).toMatchObject([
      { action: "Allow", source: { notSelector: "has(projectcalico.org/namespace)" } },
      { action: "Deny" },
    ]);
  });

  test("a baseline of v1alpha1 is one, for one kind of pods", () => {
    const base = (name: string, app: string) =>
      native(
        name,
        `{ tier: baseline, subject: app=${app}, ingress: [{ action: deny, from: [{ selector: app=web, namespace: test }] }] }`,
      );
    const one = converted(base("a", "db"), target("anp"));
    expect([one.said, one.answer]).toEqual([[], "yes"]);
    expect(one.objects.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([
      ["BaselineAdminNetworkPolicy", "default"],
    ]);
    expect(converted(join(base("a", "db"), base("b", "web")), target("anp")).said).toEqual([
      "error a baseline for other pods, which AdminNetworkPolicy cannot say",
    ]);
  });

  test("who isolates and allows everything is left out where a native Policy may not say it", () => {
    const open = policy(
      "networking.k8s.io/v1",
      "NetworkPolicy",
      "db",
      "{ podSelector: {}, policyTypes: [Ingress, Egress], ingress: [], egress: [{}] }",
      "shop",
    );
    const { objects, said, answer } = converted(open, target("bulkhead"));
    expect([said, answer]).toEqual([[], "yes"]);
    expect(Object.keys(objects[0]?.spec ?? {})).toEqual(["subject", "ingress"]);
  });
});
