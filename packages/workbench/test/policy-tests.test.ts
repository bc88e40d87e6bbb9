/** Expectations about processes of the machine, which have no address of their own. */
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { indexInventory } from "@bulkhead/engine";
import { TCP } from "@bulkhead/model";
import { expect, it } from "vitest";
import { runPolicyTests } from "../src/index.ts";

const FILE = `
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: host }
spec:
  workloads:
    - { name: nginx, labels: { app: nginx }, unit: nginx.service }
    - { name: cron, labels: { app: cron }, unit: cron.service }
    - { name: db, namespace: shop, labels: { app: db }, addresses: [10.0.0.3] }
---
apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: nginx-to-db, namespace: shop }
spec: { from: { selector: app=nginx, namespace: host }, to: app=db, ports: [5432/tcp] }
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: nginx, namespace: host }
spec: { subject: app=nginx, ingress: [{ from: [app=cron], ports: [80/tcp] }] }
---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: lab, namespace: host }
spec:
  tests:
    - { from: nginx, to: shop/db, port: 5432/tcp, expect: allow }
    - { from: nginx, to: shop/db, port: 22/tcp, expect: deny }
    - { from: nginx, to: cron, port: 22/tcp, expect: deny }
    - { from: cron, to: nginx, port: 80/tcp, expect: allow }
    - { from: shop/db, to: nginx, port: 80/tcp, expect: deny }
    - { from: nginx, to: 198.51.100.7, port: 80/tcp, expect: deny }
    - { from: cron, to: nginx, port: 81/tcp, expect: allow }
`;

/** What else listens there, and whether the machine's addresses are known, says nothing about who was named. */
it.each([[[]], [["10.0.0.254", "fd00::fe"]]])(
  "names processes at both ends, on a machine with addresses %j",
  (hostAddresses) => {
    const { resources } = parseFiles([{ name: "lab.yaml", text: FILE }]);
    const built = buildPolicySet(resources, { now: 0, strict: true, mode: "enforce" });
    const sockets = [{ family: 4 as const, protocol: TCP, port: 80 }];
    const workloads = built.inventory.workloads.map((workload) =>
      workload.name === "cron" ? { ...workload, sockets } : workload,
    );
    const index = indexInventory({ ...built.inventory, workloads, hostAddresses });
    const results = runPolicyTests(built.tests, built.set, index, 0);
    expect(results.map(({ passed }) => passed)).toEqual([...Array<boolean>(6).fill(true), false]);
    expect(results.at(-1)?.message).toBe(
      "host/cron (127.0.0.1) → host/nginx (127.0.0.1) 81/tcp: `drop`, expected `allow`",
    );
  },
);

const REQUESTS = `
apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: shop }
spec:
  namespaces: [{ name: shop }]
  workloads:
    - { name: web, labels: { app: web }, addresses: [10.0.0.1] }
    - { name: api, labels: { app: api }, addresses: [10.0.0.2] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts:
        - ports: [{ port: "80", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/orders/[0-9]+" }, { host: "admin[.]shop" }] }
  egress:
    - toFQDNs: [{ matchName: pay.example.com }]
---
apiVersion: bulkhead.dev/v1
kind: PolicyTest
metadata: { name: lab, namespace: shop }
spec:
  tests:
    - { from: web, to: api, port: 80/tcp, expect: allow }
    - { from: web, to: api, port: 80/tcp, http: GET /orders/7, expect: allow }
    - { from: web, to: api, port: 80/tcp, http: POST http://admin.shop/orders, expect: allow }
    - { from: api, to: 192.0.2.7, names: [Pay.example.com.], port: 443/tcp, expect: allow }
    - { from: api, to: 192.0.2.7, names: [example.com, pay.example.org], port: 443/tcp, expect: allow }
    - { from: web, to: api, port: 80/tcp, http: POST /orders/7, expect: allow }
    - { from: web, to: api, port: 80/tcp, http: "GET https://shop.example/orders?x=1", expect: allow }
    - { from: web, to: api, port: 81/tcp, http: GET /orders/7, expect: allow }
`;

it("asks for the very request, and for names, where a test tells them", () => {
  const { resources, diagnostics } = parseFiles([{ name: "lab.yaml", text: REQUESTS }]);
  expect(diagnostics).toEqual([]);
  const built = buildPolicySet(resources, { now: 0, strict: true, mode: "enforce" });
  const index = indexInventory(built.inventory);
  const results = runPolicyTests(built.tests, built.set, index, 0);
  expect(results.filter(({ passed }) => !passed).map(({ message }) => message)).toEqual([
    "shop/api (10.0.0.2) → 192.0.2.7 (192.0.2.7) 443/tcp as example.com, pay.example.org: `drop`, expected `allow`",
    "shop/web (10.0.0.1) → shop/api (10.0.0.2) 80/tcp POST /orders/7: `drop`, expected `allow`",
    "shop/web (10.0.0.1) → shop/api (10.0.0.2) 80/tcp GET shop.example/orders?x=1: `drop`, expected `allow`",
    "shop/web (10.0.0.1) → shop/api (10.0.0.2) 81/tcp GET /orders/7: `drop`, expected `allow`",
  ]);
});

it("is told in one line, whatever it is called", () => {
  const name = "a: b\\n::error::c\\u2028d";
  const text = FILE.replace(
    "{ from: nginx, to: shop/db, port: 22/tcp",
    `{ name: "${name}", from: nginx, to: shop/db, port: 22/tcp`,
  );
  const { resources } = parseFiles([{ name: "lab.yaml", text }]);
  const { tests } = buildPolicySet(resources, { now: 0, strict: true, mode: "enforce" });
  expect(tests.map((one) => one.name)).toContain("a: b ::error::c d");
});
