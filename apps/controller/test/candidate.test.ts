/** What a set of files does to what is in force: converge, keep, prune; unchanged means that it says the same. */
import { describe, expect, it } from "vitest";
import { compareHeld, mergeGiven, readGiven } from "../src/policy/candidate.ts";
import { readPolicy } from "../src/policy/reading.ts";
import { POLICY } from "./lab.ts";
import { held, INVENTORY, NOW } from "./fixtures.ts";

const merge = (more: Partial<Parameters<typeof mergeGiven>[2]> = {}, text = POLICY.text) =>
  mergeGiven(held([INVENTORY, POLICY]), readGiven([{ ...POLICY, text }]), {
    mode: "enforce",
    prune: false,
    ...more,
  });

describe("mergeGiven", () => {
  it("keeps what the files do not hold", () => {
    expect(merge().changes).toEqual({
      added: [],
      changed: [],
      removed: [],
      unchanged: ["Intent/shop/web-db", "Policy/shop/shut"],
      kept: ["Inventory/shop/lab"],
    });
  });

  it("removes it when told to prune", () => {
    const { changes, held: after } = merge({ prune: true });
    expect([changes.removed, changes.kept]).toEqual([["Inventory/shop/lab"], []]);
    expect(after.map(({ stored }) => stored.key)).toEqual([
      "Intent/shop/web-db",
      "Policy/shop/shut",
    ]);
  });

  it("calls a resource changed when it says something else, or counts with another mode", () => {
    expect(merge({}, POLICY.text.replace("5432", "5433")).changes.changed).toEqual([
      "Intent/shop/web-db",
    ]);
    expect(merge({ mode: "audit" }).changes.changed).toEqual([
      "Intent/shop/web-db",
      "Policy/shop/shut",
    ]);
  });

  it("does not call it changed when only its line moved, but remembers the new place", () => {
    const { changes, held: after } = merge({}, `# a new first line\n${POLICY.text}`);
    expect(changes.unchanged).toEqual(["Intent/shop/web-db", "Policy/shop/shut"]);
    const lines = [held([POLICY]), after].map(
      (list) =>
        list.find(({ stored }) => stored.key === "Policy/shop/shut")?.resource.object.source.line,
    );
    expect(lines[1]).toBe((lines[0] ?? 0) + 1);
  });

  it("keeps the very object when even the text is the same", () => {
    const before = held([INVENTORY, POLICY]);
    const after = mergeGiven(before, readGiven([INVENTORY, POLICY]), {
      mode: "enforce",
      prune: false,
    }).held;
    expect(after.every((one, at) => one === before[at])).toBe(true);
  });
});

it("compares whole sets both ways", () => {
  const [small, large] = [held([POLICY]), held([INVENTORY, POLICY])];
  expect(compareHeld(small, large)).toMatchObject({ added: ["Inventory/shop/lab"], removed: [] });
  expect(compareHeld(large, small)).toMatchObject({ added: [], removed: ["Inventory/shop/lab"] });
});

it("stages exactly what was applied in audit", () => {
  const mixed = [
    ...held([POLICY]),
    ...held(
      [{ name: "more.yaml", text: POLICY.text.replaceAll("name: ", "name: other-") }],
      "audit",
    ),
  ];
  const { set } = readPolicy(mixed, { now: NOW, strict: false });
  const blocks = set.stages.flatMap((stage) => stage.blocks);
  expect(blocks.length).toBeGreaterThan(4);
  for (const block of blocks) {
    const staged = block.policy.name.startsWith("other-");
    expect([block.id, block.enforce]).toEqual([block.id, staged ? "staged" : "on"]);
    expect(block.rules.every((rule) => rule.enforce === block.enforce)).toBe(true);
  }
});

const EVERY_DIALECT = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: one }
spec:
  tier: Admin
  priority: 5
  subject: { namespaces: {} }
  ingress: [{ name: no, action: Deny, from: [{ namespaces: {} }] }]
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: { name: one }
spec: { endpointSelector: {}, ingress: [{}] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: one, namespace: shop }
spec: { endpointSelector: {}, ingress: [{}] }
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: { name: one }
spec: { ingress: [{ action: Deny }] }
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: one, namespace: shop }
spec: { ingress: [{ action: Deny }] }
---
apiVersion: crd.antrea.io/v1beta1
kind: ClusterNetworkPolicy
metadata: { name: one }
spec: { priority: 5, appliedTo: [{ podSelector: {} }], ingress: [{ action: Drop }] }
---
apiVersion: crd.antrea.io/v1beta1
kind: NetworkPolicy
metadata: { name: one, namespace: shop }
spec: { priority: 5, appliedTo: [{ podSelector: {} }], ingress: [{ action: Drop }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: one, namespace: shop }
spec: { action: DENY, rules: [{}] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: one, namespace: shop }
spec: { mtls: { mode: STRICT } }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: one, namespace: shop }
spec: { podSelector: {} }
`;

it.each(EVERY_DIALECT.split("---\n"))(
  "stages what was applied in audit of every dialect: %s",
  (text) => {
    const others = EVERY_DIALECT.replace(text, "");
    const mixed = [
      ...held([{ name: "audited.yaml", text }], "audit"),
      ...held([{ name: "others.yaml", text: others }]),
    ];
    const { set } = readPolicy(mixed, { now: NOW, strict: false });
    const blocks = set.stages.flatMap((stage) => stage.blocks);
    expect(blocks.filter(({ source }) => source.file === "audited.yaml")).not.toEqual([]);
    for (const { id, enforce, source } of blocks)
      expect([id, enforce]).toEqual([id, source.file === "audited.yaml" ? "staged" : "on"]);
    expect(new Set(blocks.map(({ id }) => id)).size).toBe(blocks.length);
  },
);

it("keeps the declarations as one object for as long as nobody is declared anew", () => {
  const before = held([INVENTORY]);
  const first = readPolicy(before, { now: NOW, strict: false });
  const known = { held: before, reading: first };
  const withPolicy = mergeGiven(before, readGiven([POLICY]), { mode: "audit", prune: false }).held;
  expect(readPolicy(withPolicy, { now: NOW, strict: false, known }).declared).toBe(first.declared);
  const renamed = held([{ ...INVENTORY, text: INVENTORY.text.replace("app: web", "app: site") }]);
  expect(readPolicy(renamed, { now: NOW, strict: false, known }).declared).not.toBe(first.declared);
});
