/** The shop as the operator declares it to Bulkhead: names and labels for namespaces, and a name for the payment provider. */
import { WORKLOADS, WORLD } from "../topology.ts";

export const SHOP_NAMESPACE = "shop";
const PROVIDER = "payments.example";

export function inventoryYaml(namespaceOf: (name: string) => string): string {
  const workloads = WORKLOADS.map((workload) => {
    const labels = Object.entries(workload.labels)
      .map(([key, value]) => `${key}: ${value}`)
      .join(", ");
    return `    - name: ${workload.name}
      namespace: ${SHOP_NAMESPACE}
      netns: ${namespaceOf(workload.name)}
      labels: { ${labels} }
`;
  });
  // The rest of the world has no name.
  const sets = WORLD.filter((server) => server.name === PROVIDER).map(
    (server) => `---
apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: ${server.name}, namespace: ${SHOP_NAMESPACE} }
spec:
  cidrs: [${server.ipv4}/32, '${server.ipv6}/128']
`,
  );
  return `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: shop }
spec:
  workloads:
${workloads.join("")}${sets.join("")}`;
}
