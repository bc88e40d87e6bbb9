/** By what name an object is known: with its namespace where its kind has one, whatever else is written into it. */
import { expect, test } from "vitest";
import { parseFiles } from "../src/index.ts";

const RULES = { podSelector: {} };
const CALICO = { selector: "all()", types: ["Ingress"] };
const ANTREA = { priority: 5, appliedTo: [{ podSelector: {} }] };
const CILIUM = { endpointSelector: {}, ingress: [{}] };
const ADMIN = { priority: 5, subject: { namespaces: {} } };
const POD = { containers: [] };

test.each<[string, string, object | undefined, boolean]>([
  ["networking.k8s.io/v1", "NetworkPolicy", RULES, true],
  ["bulkhead.dev/v1", "Policy", { subject: "app=a", ingress: [] }, true],
  ["bulkhead.dev/v1", "NetworkSet", { cidrs: [] }, true],
  ["projectcalico.org/v3", "NetworkPolicy", CALICO, true],
  ["projectcalico.org/v3", "StagedNetworkPolicy", CALICO, true],
  ["projectcalico.org/v3", "NetworkSet", { nets: [] }, true],
  ["projectcalico.org/v3", "GlobalNetworkPolicy", CALICO, false],
  ["projectcalico.org/v3", "StagedGlobalNetworkPolicy", CALICO, false],
  ["projectcalico.org/v3", "GlobalNetworkSet", { nets: [] }, false],
  ["projectcalico.org/v3", "Tier", { order: 5 }, false],
  ["projectcalico.org/v3", "HostEndpoint", { node: "n", interfaceName: "*" }, false],
  ["crd.antrea.io/v1beta1", "NetworkPolicy", ANTREA, true],
  ["crd.antrea.io/v1beta1", "Group", { podSelector: {} }, true],
  ["crd.antrea.io/v1beta1", "ClusterNetworkPolicy", ANTREA, false],
  ["crd.antrea.io/v1beta1", "Tier", { priority: 10 }, false],
  ["crd.antrea.io/v1beta1", "ClusterGroup", { podSelector: {} }, false],
  ["cilium.io/v2", "CiliumNetworkPolicy", CILIUM, true],
  ["cilium.io/v2", "CiliumClusterwideNetworkPolicy", CILIUM, false],
  ["cilium.io/v2", "CiliumCIDRGroup", { externalCIDRs: [] }, false],
  ["security.istio.io/v1", "AuthorizationPolicy", {}, true],
  ["security.istio.io/v1", "PeerAuthentication", {}, true],
  ["policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", { ...ADMIN, tier: "Admin" }, false],
  ["policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", ADMIN, false],
  ["v1", "Pod", POD, true],
  ["v1", "Service", {}, true],
  ["v1", "Node", undefined, false],
  ["v1", "Namespace", undefined, false],
])("%s %s %j has a namespace: %s", (apiVersion, kind, spec, hasNamespace) => {
  const named = (namespace: string) =>
    JSON.stringify({ apiVersion, kind, metadata: { name: "p", namespace }, spec });
  const said = (...namespaces: readonly string[]) => {
    const files = namespaces.map((one, at) => ({ name: `${at}`, text: named(one) }));
    return parseFiles(files).diagnostics.map(({ code, message }) => `${code} ${message}`);
  };
  const [once] = said("a", "a");
  expect(once).toMatch(
    hasNamespace ? /^BH0108 `[\w.-]+\/a\/p` is declared/ : /^BH0108 `[\w.-]+\/p` is declared/,
  );
  expect(once).toContain(kind);
  expect(said("a", "b")).toHaveLength(hasNamespace ? 0 : 1);
});
