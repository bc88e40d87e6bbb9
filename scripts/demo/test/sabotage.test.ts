/** Sabotage must break exactly what it says, and only when asked. */
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { faultOf, parseSabotage, withoutDeny } from "../sabotage.ts";

const POLICY = `# what was seen
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: default-deny, namespace: shop }
spec: { subject: "", ingress: [], egress: [] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: web-to-storefront, namespace: shop }
spec: { from: app=web, to: app=storefront, ports: [8080/tcp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: with-rules, namespace: shop }
spec: { subject: app=db, ingress: [{ from: app=web }] }
`;

test("missing-deny takes the default deny away and leaves the rest", () => {
  const left = parseAllDocuments(withoutDeny(POLICY)).map(
    (document) => (document.toJS() as { metadata: { name: string } } | null)?.metadata.name,
  );
  expect(left.filter((name) => name !== undefined)).toEqual(["web-to-storefront", "with-rules"]);
});

test("a file without a default deny stays valid YAML", () => {
  const text = "kind: Intent\nmetadata: { name: a }\n";
  expect(parse(withoutDeny(text))).toEqual(parse(text));
});

test("an unknown sabotage is refused with the list", () => {
  expect(() => parseSabotage("everything")).toThrow(/missing-deny, dead-collector/);
});

test("nothing is broken unless asked", () => {
  expect(parseSabotage("")).toBeUndefined();
  expect(parseSabotage(undefined)).toBeUndefined();
  expect(faultOf(undefined)).toEqual({});
  expect(faultOf("missing-deny")).toEqual({});
  expect(faultOf("leaky-driver")).toEqual({ BULKHEAD_FAULT: "leaky-driver" });
});
