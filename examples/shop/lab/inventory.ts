/** The shop as the operator declares it to Bulkhead: names and labels for namespaces, and names for the world. */
import { WORKLOADS, WORLD } from "../topology.ts";

export const SHOP_NAMESPACE = "shop";

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
  const sets = WORLD.map(
    (server) => `---
apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: ${server.name.replaceAll(".", "-")} }
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
