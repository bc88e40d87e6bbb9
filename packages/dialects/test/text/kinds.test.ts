/** Which reader takes an object, what is said of those that none takes, and what a kind is for. */
import { describe, expect, test } from "vitest";
import { isDeciding, isPolicyResource, parseFiles } from "../../src/index.ts";

const parsed = (text: string) => {
  const { resources, partial, diagnostics } = parseFiles([{ name: "x.yaml", text }]);
  const said = diagnostics.map(
    ({ code, span, message, help }) =>
      `${span.line}:${span.column} ${code} ${message}${help === undefined ? "" : `; ${help}`}`,
  );
  return { resources, partial, said };
};
const object = (apiVersion: string, kind: string, spec = "{}") =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: a }\nspec: ${spec}`;

describe("near spellings", () => {
  test.each(["NetworkPolicy", "Ingress", "IngressClass", "IPAddress", "ServiceCIDR"])(
    "of networking.k8s.io: %s",
    (kind) => {
      expect(parsed(object("networking.k8s.io/v1", `${kind}x`)).said).toEqual([
        `2:7 BH0101 unknown kind \`${kind}x\`; did you mean \`${kind}\`?`,
      ]);
      expect(parsed(object("x.example/v1", `${kind}x`)).said.join()).toMatch(/^2:7 BH0401/);
    },
  );

  test.each(["IngressClass", "IPAddress", "ServiceCIDR"])("%s itself is let pass", (kind) => {
    expect(parsed(object("networking.k8s.io/v1", kind)).said).toEqual([
      `2:7 BH0401 \`${kind}\` says nothing about the network: ignored`,
    ]);
  });

  test("of a kind or version of ours", () => {
    expect(parsed(object("bulkhead.dev/v1", "Polcy")).said).toEqual([
      "2:7 BH0101 unknown kind `Polcy`; did you mean `Policy`?",
    ]);
    const version = "unknown apiVersion";
    const meant = "did you mean `bulkhead.dev/v1`?";
    expect(parsed(object("bulkhead.dev/v2", "Policy")).said).toEqual([
      `1:13 BH0106 ${version} \`bulkhead.dev/v2\`; ${meant}`,
    ]);
    expect(parsed(object("bulkhed.dev/v1", "Policy")).said).toEqual([
      `1:13 BH0106 ${version} \`bulkhed.dev/v1\`; ${meant}`,
    ]);
    expect(parsed(object("v1", "Policy")).said).toEqual([
      `1:13 BH0106 ${version} \`v1\`; ${meant}`,
    ]);
    expect(parsed(object("v1", "toString")).said.join()).toMatch(/^2:7 BH0401/);
    expect(parsed(object("bulkhead.dev/v1", "toString")).said.join()).toMatch(/^2:7 BH0101/);
  });
});

test("a field that says nothing is no help for another", () => {
  const policy = object("networking.k8s.io/v1", "NetworkPolicy", "{ podSelector: {} }");
  expect(parsed(`${policy}\nstatuz: {}`).said).toEqual([
    "5:1 BH0102 unknown field `statuz`; allowed here: `apiVersion`, `kind`, `metadata`, `spec`",
  ]);
  expect(parsed(`${policy}\nstatus: {}`).said).toEqual([]);
});

describe("items of a typed list have version and kind of the list", () => {
  const list = (apiVersion: string, kind: string) =>
    `apiVersion: ${apiVersion}\nkind: ${kind}List\nitems:\n  - metadata: { name: a }\n`;

  test.each([
    ["networking.k8s.io/v0", "NetworkPolicy", "networking.k8s.io/v1", " of NetworkPolicy"],
    ["cilium.io/v9", "CiliumNetworkPolicy", "cilium.io/v2", " of CiliumNetworkPolicy"],
    ["bulkhead.dev/v9", "Policy", "bulkhead.dev/v1", ""],
  ])("%s %s is told at the item", (version, kind, meant, of) => {
    expect(parsed(list(version, kind)).said).toEqual([
      `4:5 BH0106 unknown apiVersion \`${version}\`${of}; did you mean \`${meant}\`?`,
    ]);
  });

  test.each([
    ["bulkhead.dev/v1", "Polcy", "BH0101"],
    ["cilium.io/v2", "CiliumNetworkPolcy", "BH0101"],
    ["x.example/v1", "Thing", "BH0401"],
    ["v1", "Policy", "BH0106"],
    ["linkerd.io/v1", "Server", "BH0402"],
    ["kustomize.config.k8s.io/v1beta1", "Kustomization", "BH0401"],
  ])("%s %s, too", (version, kind, code) => {
    expect(parsed(list(version, kind)).said.join()).toMatch(new RegExp(`^4:5 ${code} `));
  });

  test.each([
    ["networking.k8s.io/v1", "NetworkPolicyList"],
    ["cilium.io/v2", "CiliumNetworkPolicyList"],
    ["apps/v1", "DeploymentList"],
    ["v1", "List"],
  ])("%s %s of something else than a list is told", (version, kind) => {
    expect(parsed(`apiVersion: ${version}\nkind: ${kind}\nitems: { a: 1 }`).said).toEqual([
      "3:8 BH0104 expected a list of resources, found a map of fields",
    ]);
  });

  test("what is in a list that is none", () => {
    expect(parsed("apiVersion: v1\nkind: PodList\nitems: 7").said).toEqual([
      "3:8 BH0104 expected a list of resources, found a number",
    ]);
    expect(parsed("apiVersion: v1\nkind: PodList\nitems: null").said).toEqual([]);
    expect(parsed("apiVersion: v1\nkind: ChessList\nitems: 7").said.join()).toMatch(/BH0401/);
    expect(parsed("apiVersion: v1\nkind: PodList").said.join()).toMatch(/BH0401/);
  });
});

test.each([
  ["Policy", true],
  ["Intent", true],
  ["Exception", true],
  ["NetworkPolicy", true],
  ["CiliumNetworkPolicy", true],
  ["GlobalNetworkPolicy.projectcalico.org", true],
  ["Inventory", false],
  ["NetworkSet", false],
  ["PolicyTest", false],
  ["CiliumCIDRGroup", false],
  ["NetworkSet.projectcalico.org", false],
  ["GlobalNetworkSet.projectcalico.org", false],
  ["Tier.projectcalico.org", false],
  ["HostEndpoint.projectcalico.org", false],
  ["Pod", false],
  ["Service", false],
  ["HTTPRoute", false],
  ["VirtualMachine", false],
])("%s decides by its name alone: %s", (kind, expected) => {
  expect(isDeciding(kind)).toBe(expected);
});

test.each<[apiVersion: string, kind: string, spec: string, expected: boolean]>([
  ["bulkhead.dev/v1", "Policy", "{ subject: app=a, ingress: [] }", true],
  ["bulkhead.dev/v1", "NetworkSet", "{ cidrs: [10.0.0.0/8] }", true],
  ["bulkhead.dev/v1", "Inventory", "{ workloads: [] }", false],
  ["networking.k8s.io/v1", "NetworkPolicy", "{ podSelector: {} }", true],
  ["v1", "Pod", "{}", false],
  ["v1", "Service", "{}", false],
  ["projectcalico.org/v3", "GlobalNetworkPolicy", "{}", true],
  ["projectcalico.org/v3", "HostEndpoint", "{ node: n, interfaceName: eth0 }", false],
  ["cilium.io/v2", "CiliumNetworkPolicy", "{ endpointSelector: {}, ingress: [{}] }", true],
  ["security.istio.io/v1", "AuthorizationPolicy", "{}", true],
  [
    "policy.networking.k8s.io/v1alpha1",
    "BaselineAdminNetworkPolicy",
    "{ subject: { namespaces: {} } }",
    true,
  ],
  ["crd.antrea.io/v1beta1", "Tier", "{ priority: 20 }", true],
])("%s %s of %s is policy: %s", (apiVersion, kind, spec, expected) => {
  const text = object(apiVersion, kind, spec);
  const { resources } = parsed(kind.startsWith("Base") ? text.replace("a }", "default }") : text);
  expect(resources.map(isPolicyResource)).toEqual([expected]);
});

test("the configuration of a product is no policy", () => {
  const { resources } = parsed(
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cilium-config, namespace: kube-system }\ndata: {}",
  );
  expect(resources.map(isPolicyResource)).toEqual([false]);
});
