import { buildPolicySet, parseFiles } from "@bulkhead/dialects";
import { compile, decide, indexInventory, lookup } from "@bulkhead/engine";
import type { Endpoint, Inventory, Workload } from "@bulkhead/model";
import { describe, expect, test } from "vitest";

const WEB: Workload = {
  id: "shop/web",
  namespace: "shop",
  name: "web",
  kind: "netns",
  labels: { app: "web" },
  addresses: ["10.0.0.1", "fd00::1"],
  namedPorts: [],
  hostNetwork: false,
};
const ENDPOINT: Endpoint = {
  workload: "shop/web",
  kind: "netns",
  interface: "v-web",
  ifindex: 2,
  mac: "02:00:00:00:00:01",
  addresses: WEB.addresses,
  netnsPath: "/run/netns/web",
};
const inventory: Inventory = {
  workloads: [WEB],
  namespaces: [{ name: "shop", labels: {} }],
  hostAddresses: [],
};
const index = indexInventory(inventory);

const policy = (name: string, egress: string, extra = ""): string => `
apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: ${name}, namespace: shop }
spec:
  owner: a
  subject: { selector: app=web }
${extra}
  egress:
${egress}
`;
const WIDE = policy("wide", "    - { to: [{ entity: world }], ports: [80/tcp] }");
const PREFIX = policy("prefix", "    - { to: [{ cidr: 169.254.0.0/16 }], ports: [80/tcp] }");
const GRANT = policy("grant", "    - { to: [{ cidr: 169.254.169.254/32 }], ports: [80/tcp] }");
const EMERGENCY = policy("open", "    - { to: [{ any: true }] }", "  tier: emergency");

/** The verdict of the reference, held against the compiled maps. */
const verdict = (texts: readonly string[], destination: string, port = 80): string => {
  const { resources, diagnostics } = parseFiles(
    texts.map((text, i) => ({ name: `${i}.yaml`, text })),
  );
  const { set, diagnostics: built } = buildPolicySet(resources, {
    now: 0,
    strict: false,
    mode: "enforce",
  });
  expect([...diagnostics, ...built].filter(({ severity }) => severity === "error")).toEqual([]);
  const source = destination.includes(":") ? "fd00::1" : "10.0.0.1";
  const query = { source, destination, protocol: 6, port };
  const decision = decide(set, index, query, { now: 0, view: "live" });
  const { policy } = compile(set, inventory, { now: 0, revision: 1, endpoints: [ENDPOINT] });
  expect(lookup(policy, "live", query, 0).verdict).toBe(decision.verdict);
  return decision.verdict;
};

describe("cloud metadata addresses", () => {
  test("a rule to the world does not open them, and opens what lies beside", () => {
    expect(verdict([WIDE], "169.254.169.254")).toBe("drop");
    expect(verdict([WIDE], "fd00:ec2::254")).toBe("drop");
    expect(verdict([WIDE], "169.254.169.253")).toBe("allow");
    expect(verdict([WIDE], "fd00:ec2::253")).toBe("allow");
  });

  test("nor does a prefix that holds them", () => {
    expect(verdict([PREFIX], "169.254.169.254")).toBe("drop");
    expect(verdict([PREFIX], "169.254.169.1")).toBe("allow");
  });

  test("a grant of the very address opens it, on its ports only, whatever wide rule stands beside", () => {
    expect(verdict([GRANT], "169.254.169.254")).toBe("allow");
    expect(verdict([WIDE, GRANT], "169.254.169.254")).toBe("allow");
    expect(verdict([WIDE, GRANT], "169.254.169.254", 8080)).toBe("drop");
    expect(verdict([WIDE, GRANT], "fd00:ec2::254")).toBe("drop");
  });

  test("an emergency opens everything", () => {
    expect(verdict([WIDE, EMERGENCY], "169.254.169.254")).toBe("allow");
  });
});
