/** Ten thousand policies over ten thousand pods of five hundred apps, each allowing one app to call another on one port. */
import type { Block, Inventory, Peer, PolicySet } from "@bulkhead/model";

export const POLICIES = 10_000;
export const WORKLOADS = 10_000;
export const APPS = 500;
export const PORTS = 40;
const source = { file: "bench.yaml", line: 1, column: 1 };

export const appOf = (workload: number): number => workload % APPS;
export const addressOf = (workload: number): string => `10.0.${workload >> 8}.${workload & 255}`;
/** Who may call whom, and on which port. */
export const caller = (policy: number): number => (7 * policy + 1) % APPS;
export const called = (policy: number): number => policy % APPS;
export const portOf = (policy: number): number => 1000 + ((policy * 13) % PORTS);

const chosen = (app: number): Extract<Peer, { kind: "workloads" }> => ({
  kind: "workloads",
  namespaces: { kind: "named", name: "shop" },
  selector: { requirements: [{ key: "app", operator: "In", values: [`a${app}`] }] },
});

const block = (policy: number): Block => ({
  id: `p${policy}#ingress`,
  source,
  subject: chosen(called(policy)),
  direction: "ingress",
  order: [0],
  isolates: true,
  enforce: "on",
  policy: { kind: "Policy", namespace: "shop", name: `p${policy}` },
  rules: [
    {
      id: `p${policy}#ingress/0`,
      source,
      action: "allow",
      peers: [chosen(caller(policy))],
      ports: [{ kind: "range", protocol: 6, first: portOf(policy), last: portOf(policy) }],
      enforce: "on",
    },
  ],
});

export const policySet = (
  count = POLICIES,
  has: (policy: number) => boolean = () => true,
): PolicySet => ({
  profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  stages: [
    {
      id: "application",
      plane: "net",
      mode: "denyOverrides",
      endIfApplied: "deny",
      onPass: null,
      blocks: Array.from({ length: count }, (_, policy) => policy)
        .filter(has)
        .map(block),
    },
  ],
});

export const inventory: Inventory = {
  namespaces: [],
  hostAddresses: [],
  workloads: Array.from({ length: WORKLOADS }, (_, workload) => ({
    id: `shop/w${workload}`,
    namespace: "shop",
    name: `w${workload}`,
    kind: "pod" as const,
    labels: { app: `a${appOf(workload)}` },
    addresses: [addressOf(workload)],
    namedPorts: [],
    hostNetwork: false,
  })),
};
