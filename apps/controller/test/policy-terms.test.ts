/** How old a policy is by the log, who answers for it, and when it ends. */
import { expect, it } from "vitest";
import type { Revision } from "@bulkhead/store";
import { agesOf, createAgeBook, termsOf } from "../src/queries/policy-terms.ts";
import { held } from "./fixtures.ts";

const revision = (
  time: number,
  changes: { readonly added?: string[]; readonly changed?: string[]; readonly removed?: string[] },
): Revision =>
  ({
    time,
    changes: { added: [], changed: [], removed: [], unchanged: [], kept: [], ...changes },
  }) as unknown as Revision;

it("counts from the first revision that has it without a break, and from its last change", () => {
  const log = [
    revision(1, { added: ["Policy/shop/old", "Policy/shop/back"] }),
    revision(2, { changed: ["Policy/shop/old"], removed: ["Policy/shop/back"] }),
    revision(3, { changed: ["Policy/shop/old"] }),
    revision(4, { added: ["Policy/shop/back"], removed: ["Policy/shop/gone"] }),
  ];
  expect(Object.fromEntries(agesOf(log.toReversed()))).toEqual({
    "Policy/shop/old": { createdAt: 1, changedAt: 3 },
    "Policy/shop/back": { createdAt: 4, changedAt: 4 },
  });
});

it("reads the log once a revision", async () => {
  let reads = 0;
  const book = createAgeBook({ revisions: async () => (reads++, [revision(7, { added: ["a"] })]) });
  await book(1);
  expect((await book(1)).get("a")).toEqual({ createdAt: 7, changedAt: 7 });
  expect(reads).toBe(1);
  await book(2);
  expect(reads).toBe(2);
});

it("says who answers for it and when it ends, and that nobody is named", () => {
  const text = `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec: { subject: app=db, ingress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Exception
metadata: { name: incident, namespace: shop }
spec: { from: app=web, to: app=db, ports: [22/tcp], owner: on-call, reason: disk, expires: 2030-01-02T03:04:05Z }
---
apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: office, namespace: shop }
spec: { cidrs: [192.0.2.0/24] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: np, namespace: shop }
spec: { podSelector: {} }
`;
  const ages = new Map([["Policy/shop/db", { createdAt: 1, changedAt: 2 }]]);
  const all = held([{ name: "p.yaml", text }]);
  expect(all.map((one) => [one.stored.key, termsOf(one, ages)])).toEqual([
    ["Exception/shop/incident", { owner: "on-call", expiresAt: Date.UTC(2030, 0, 2, 3, 4, 5) }],
    ["NetworkPolicy/shop/np", {}],
    ["NetworkSet/shop/office", {}],
    ["Policy/shop/db", { createdAt: 1, changedAt: 2, owner: null }],
  ]);
});
