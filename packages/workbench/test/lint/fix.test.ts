/** Fixes keep comments, layout and every decision; what cannot be proved is left alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { saysTheSame } from "@bulkhead/engine";
import { openDesk } from "../../src/desk/index.ts";
import { fixFiles, unifiedDiff } from "../../src/lint/index.ts";
import { folder } from "../desk/manifests.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const reading = { now: NOW };
const fix = (text: string) => fixFiles([{ name: "p.yaml", text }], reading);
const fixed = (text: string): string => fix(text)[0]?.text ?? text;

const BEFORE = `# who may reach the database
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } } # the database
  ingress:
  # the api
  - from:
    - podSelector: { matchLabels: { app: api } }
    - ipBlock: { cidr: "10.1.2.3/16", except: [10.1.5.9/24] }
    - podSelector: { matchLabels: { app: api } }
    ports:
    - port: 5432 # postgres
    - { port: 5433 }
`;
const AFTER = `# who may reach the database
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  policyTypes: [Ingress]
  podSelector: { matchLabels: { app: db } } # the database
  ingress:
  # the api
  - from:
    - podSelector: { matchLabels: { app: api } }
    - ipBlock: { cidr: "10.1.0.0/16", except: [10.1.5.0/24] }
    ports:
    - protocol: TCP
      port: 5432 # postgres
    - { protocol: TCP, port: 5433 }
`;

describe("fixes", () => {
  it("write out what is filled in, prefixes as read, and what stands twice once; comments and layout stay", () => {
    expect(fixed(BEFORE)).toBe(AFTER);
    expect(fixed(AFTER)).toBe(AFTER);
  });

  it("write out Egress only where an egress rule is", () => {
    const text = (egress: string): string =>
      BEFORE.replace("  ingress:", `  egress: ${egress}\n  ingress:`);
    expect(fixed(text("[{ ports: [{ port: 53, protocol: UDP }] }]"))).toContain(
      "policyTypes: [Ingress, Egress]",
    );
    expect(fixed(text("[]"))).toContain("policyTypes: [Ingress]\n");
  });

  it("leave alone what a comment stands in, and what cannot be read", () => {
    const commented = BEFORE.replace("app: api } }\n    ports", "app: api } } # again\n    ports");
    expect(fixed(commented).match(/app: api/g)).toHaveLength(2);
    expect(fix(`${BEFORE}  podSelectr: {}\n`)).toEqual([]);
  });

  it("are not made where they would say something else, or take an anchor away; the others are", () => {
    const at = BEFORE.indexOf("5432");
    const wrong = { start: at, end: at + 4, text: "5434", what: "wrong" };
    const right = { start: BEFORE.length, end: BEFORE.length, text: "# end\n", what: "right" };
    const [found] = fixFiles([{ name: "p.yaml", text: BEFORE }], reading, () => [wrong, right]);
    expect(found?.edits).toEqual([right]);
    const anchored = BEFORE.replace(
      /- podSelector: (.*)\n {4}ports/,
      "- &api { podSelector: $1 }\n    ports",
    );
    const again = `${anchored}  - from: [*api]\n    ports: [{ protocol: TCP, port: 1 }]\n`;
    expect(fixed(again)).toContain("- &api");
    expect(fixed(again)).toContain("policyTypes: [Ingress]");
  });

  it("keep line ends and a byte order mark", () => {
    const text = `\uFEFF${BEFORE.replaceAll("\n", "\r\n")}`;
    expect(fixed(text)).toBe(`\uFEFF${AFTER.replaceAll("\n", "\r\n")}`);
  });

  it("print a difference that tells every line", () => {
    expect(unifiedDiff(fix(BEFORE)[0]!)).toBe(`--- a/p.yaml
+++ b/p.yaml
@@ -3,13 +3,14 @@
 kind: NetworkPolicy
 metadata: { name: db, namespace: shop }
 spec:
+  policyTypes: [Ingress]
   podSelector: { matchLabels: { app: db } } # the database
   ingress:
   # the api
   - from:
     - podSelector: { matchLabels: { app: api } }
-    - ipBlock: { cidr: "10.1.2.3/16", except: [10.1.5.9/24] }
-    - podSelector: { matchLabels: { app: api } }
+    - ipBlock: { cidr: "10.1.0.0/16", except: [10.1.5.0/24] }
     ports:
-    - port: 5432 # postgres
-    - { port: 5433 }
+    - protocol: TCP
+      port: 5432 # postgres
+    - { protocol: TCP, port: 5433 }
`);
  });

  it("print a difference that can be applied, wherever the file lies", () => {
    const [change] = fix(BEFORE);
    expect(unifiedDiff({ ...change!, name: "/srv/p.yaml" })).toMatch(
      /^--- a\/srv\/p\.yaml\n\+\+\+ b\/srv\/p\.yaml\n/,
    );
  });

  it("whatever the policies, in block or flow style: the same is said, and nothing is left to fix", () => {
    let changed = 0;
    const property = fc.property(folder, fc.boolean(), (documents, flow) => {
      const inFlow = (one: string) => stringify(parse(one), { collectionStyle: "flow" });
      const text = documents.map((one) => (flow ? inFlow(one) : one)).join("---\n");
      const [found] = fix(text);
      if (found === undefined) return;
      changed += 1;
      const set = (given: string) => openDesk([{ name: "p.yaml", text: given }], reading).set;
      expect(saysTheSame(set(text), set(found.text))).toBe(true);
      expect(fix(found.text)).toEqual([]);
    });
    fc.assert(property, { numRuns: 30, seed: 20_261_120 });
    expect(changed).toBeGreaterThan(5);
  });
});

describe("saying the same", () => {
  const ingress = (rules: string): string =>
    BEFORE.replace(/ {2}ingress:[^]*/, `  ingress: ${rules}\n`);
  const same = (a: string, b: string): boolean => {
    const [one, other] = [a, b].map(
      (rules) => openDesk([{ name: "p.yaml", text: ingress(rules) }], reading).set,
    );
    return saysTheSame(one!, other!);
  };

  it("one rule as two, and a rule within another, but no other port and no other peer", () => {
    const rule = (port: number, app = "api"): string =>
      `{ from: [{ podSelector: { matchLabels: { app: ${app} } } }], ports: [{ port: ${port} }] }`;
    const both =
      "{ from: [{ podSelector: { matchLabels: { app: api } } }], ports: [{ port: 1 }, { port: 2 }] }";
    expect(same(`[${both}]`, `[${rule(1)}, ${rule(2)}]`)).toBe(true);
    expect(same(`[${both}, ${rule(1)}]`, `[${both}]`)).toBe(true);
    expect(same(`[${both}]`, `[${rule(1)}]`)).toBe(false);
    expect(same(`[${rule(1)}]`, `[${rule(1, "web")}]`)).toBe(false);
    expect(same("[]", `[${rule(1)}]`)).toBe(false);
  });
});
