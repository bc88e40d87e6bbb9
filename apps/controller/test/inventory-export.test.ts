/** What is exported from a machine decides the same without it. */
import { expect, it } from "vitest";
import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { TCP, UDP } from "@bulkhead/model";
import { inventoryExport } from "@bulkhead/workbench";
import { listWorkloads } from "../src/queries/workloads.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, NOW, reading, service, SHOP } from "./fixtures.ts";

const POLICIES = {
  name: "policies.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: nginx, namespace: host }
spec:
  subject: bulkhead.dev/unit=nginx.service
  ingress: [{ from: [{ selector: app=web, namespaceSelector: team=shop }], ports: [80/tcp] }]
  egress: [{ to: [{ selector: app=db, namespace: shop }], ports: [sql/tcp] }]
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop }
spec:
  subject: app=db
  ingress: [{ from: [app=web, { selector: app=nginx, namespace: host }] }]
---
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: dns, namespace: host }
spec: { subject: app=dns, ingress: [{ from: [{ entity: host }] }] }
`,
};
const NAMESPACES = {
  name: "namespaces.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: namespaces }
spec: { namespaces: [{ name: shop, labels: { team: shop } }], machine: { nodeExempt: false } }
`,
};
const AROUND = {
  ...SHOP,
  processes: [
    service("/system.slice/nginx.service", {
      sockets: [
        { family: 4, protocol: TCP, port: 80 },
        { family: 6, protocol: TCP, port: 80 },
      ],
    }),
    service("/system.slice/dns.service", {
      sockets: [
        { family: 4, protocol: UDP, port: 53, address: "127.0.0.1" },
        { family: 6, protocol: UDP, port: 5353 },
      ],
    }),
    service("/system.slice/curl.service"),
  ],
} as const;

it("with the same policies", () => {
  const files = [INVENTORY, NAMESPACES, POLICIES];
  const here = reading(files);
  const world = buildWorld(here.declared, AROUND);
  const inForce = { revision: 1, record: null, held: held(files), reading: here };
  const answer = listWorkloads(world, inForce, {}, new Set());
  const text = inventoryExport({
    ...answer,
    namespaces: answer.namespaces ?? [],
    profile: here.set.profile,
  });

  const { resources, diagnostics } = parseFiles([POLICIES, { name: "export.yaml", text }]);
  const built = buildPolicySet(resources, { now: NOW, strict: true, mode: "enforce" });
  expect([...diagnostics, ...built.diagnostics]).toEqual([]);
  const index = indexInventory(built.inventory);

  const addresses = [
    ...world.inventory.workloads.flatMap((one) => one.addresses),
    ...AROUND.hostAddresses,
    "127.0.0.1",
    "198.51.100.7",
  ];
  const processes = [undefined, ...world.processes.map(({ workload }) => workload)];
  const ports = [80, 53, 5353, 5432, 22];
  let denied = 0;
  for (const source of addresses)
    for (const destination of addresses)
      for (const sourceProcess of processes)
        for (const protocol of [TCP, UDP])
          for (const port of ports) {
            const query = {
              source,
              destination,
              protocol,
              port,
              ...(sourceProcess === undefined ? {} : { sourceProcess }),
            };
            const options = { now: NOW, view: "live" } as const;
            const expected = decide(here.set, world.index, query, options).verdict;
            if (expected !== "allow") denied += 1;
            const found = decide(built.set, index, query, options).verdict;
            expect({ ...query, verdict: found }).toEqual({ ...query, verdict: expected });
          }
  expect(denied).toBeGreaterThan(100);
});
