import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { API_VERSION, type NativeManifest, type PolicyManifest } from "@bulkhead/model";
import { buildPolicySet, parseFiles, printResources, toManifest } from "../src/index.ts";
import { manifest } from "./arbitrary.ts";

const readBack = (text: string): readonly NativeManifest[] => {
  const { resources, diagnostics } = parseFiles([{ name: "printed.yaml", text }]);
  expect(diagnostics).toEqual([]);
  return resources.flatMap((one) => (one.dialect === "native" ? [toManifest(one.object)] : []));
};

const read = (one: NativeManifest): NativeManifest => {
  const [back] = readBack(JSON.stringify(one));
  if (back === undefined) throw new Error("nothing was read");
  return back;
};

/** The set without places, which a print may move. */
const meaning = (text: string): unknown => {
  const { resources } = parseFiles([{ name: "x", text }]);
  const { set } = buildPolicySet(resources, { now: 0, strict: false, mode: "enforce" });
  return JSON.parse(
    JSON.stringify(set, (key, value: unknown) => (key === "source" ? undefined : value)),
  );
};

const policy: PolicyManifest = {
  spec: {
    ingress: [
      { from: ["app=checkout", { entity: "host" }], ports: ["5432/tcp"], name: "checkout" },
      { ports: ["icmp/echo-request"], from: [{ selector: "role=scraper", namespace: "ops" }] },
    ],
    subject: "app=db",
    owner: "dba",
  },
  metadata: { namespace: "shop", name: "db" },
  kind: "Policy",
  apiVersion: API_VERSION,
};

describe("printing", () => {
  test("fields in reading order, comments where they belong, short lists on one line", () => {
    const text = printResources([
      {
        manifest: policy,
        comments: [
          { path: [], text: "Suggested for shop/db.\n2 rules, 3 workloads." },
          { path: ["spec", "subject"], text: "3 workloads" },
          { path: ["spec", "ingress", 0], text: "12 connections, last seen today" },
          { path: ["spec", "ingress", 1], text: "rare" },
        ],
      },
      {
        apiVersion: API_VERSION,
        kind: "NetworkSet",
        metadata: { name: "office" },
        spec: { cidrs: ["192.0.2.0/24"] },
      },
    ]);
    expect(text).toBe(`apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata:
  name: office
spec:
  cidrs: [192.0.2.0/24]
---
# Suggested for shop/db.
# 2 rules, 3 workloads.

apiVersion: bulkhead.dev/v1
kind: Policy
metadata:
  name: db
  namespace: shop
spec:
  owner: dba
  # 3 workloads
  subject: app=db
  ingress:
    # 12 connections, last seen today
    - name: checkout
      from:
        - app=checkout
        - entity: host
      ports: [5432/tcp]
    # rare
    - from:
        - selector: role=scraper
          namespace: ops
      ports: [icmp/echo-request]
`);
    expect(readBack(text)).toHaveLength(2);
  });

  test("the same resources in any order give the same text", () => {
    const office: NativeManifest = {
      apiVersion: API_VERSION,
      kind: "NetworkSet",
      metadata: { name: "office" },
      spec: { cidrs: ["192.0.2.0/24"] },
    };
    const other: PolicyManifest = { ...policy, metadata: { name: "a", namespace: "shop" } };
    expect(printResources([policy, office, other])).toBe(printResources([other, policy, office]));
  });

  test("what is printed reads back as it was", () => {
    fc.assert(
      fc.property(manifest, (one) => {
        const text = printResources([one]);
        expect(readBack(text)).toEqual([read(one)]);
        expect(printResources(readBack(text))).toBe(printResources([read(one)]));
      }),
    );
  });

  test("a resource read and printed means the same", () => {
    fc.assert(
      fc.property(manifest, (one) => {
        expect(meaning(printResources([read(one)]))).toEqual(meaning(JSON.stringify(one)));
      }),
    );
  });

  test("a comment changes nothing but itself, and one without a place is refused", () => {
    const commented = printResources([
      { manifest: policy, comments: [{ path: ["spec", "ingress", 0, "ports", 0], text: "x" }] },
    ]);
    expect(readBack(commented)).toEqual(readBack(printResources([policy])));
    expect(() =>
      printResources([
        { manifest: policy, comments: [{ path: ["spec", "egress", 0], text: "x" }] },
      ]),
    ).toThrow("spec.egress.0");
  });

  test("a group that is empty stays empty (CVE-2025-64715)", () => {
    const empty: NativeManifest = {
      apiVersion: API_VERSION,
      kind: "NetworkSet",
      metadata: { name: "nobody" },
      spec: { cidrs: [] },
    };
    const only: PolicyManifest = {
      ...policy,
      spec: {
        subject: "app=db",
        ingress: [{ from: [{ networkSet: "nobody" }], ports: ["5432/tcp"] }],
      },
    };
    const text = printResources([empty, only]);
    expect(text).toContain("cidrs: []");
    const built = buildPolicySet(parseFiles([{ name: "x", text }]).resources, {
      now: 0,
      strict: false,
      mode: "enforce",
    });
    const [block] = built.set.stages.flatMap(({ blocks }) => blocks);
    expect(block?.isolates).toBe(true);
    expect(block?.rules.map(({ peers }) => peers)).toEqual([[]]);
  });
});
