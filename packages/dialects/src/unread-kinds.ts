/**
 * Kinds that decide about traffic and that none of our dialects reads: an answer that skipped them silently would allow
 * what they deny. Those of networks besides the cluster's own leave its answers true, and are only told.
 */

export interface UnreadKind {
  /** Whose it is: `Linkerd`. */
  readonly owner: string;
  readonly weight: "error" | "warning";
  readonly help: string;
}

interface Entry {
  readonly group: string;
  /** All kinds of the group, if absent. */
  readonly kinds?: readonly string[];
  readonly owner: string;
  readonly weight?: "warning";
  readonly help?: string;
}

const INSTEAD = "take it out, or say the same with a Policy";

const UNREAD: readonly Entry[] = [
  { group: "policy.networking.k8s.io", owner: "Kubernetes network-policy-api" },
  { group: "cilium.io", owner: "Cilium" },
  { group: "projectcalico.org", owner: "Calico" },
  { group: "antrea.io", owner: "Antrea" },
  { group: "istio.io", owner: "Istio" },
  { group: "linkerd.io", owner: "Linkerd" },
  {
    // A primary network of a namespace's own keeps its pods from all others (OVN-Kubernetes, "User Defined Networks").
    group: "k8s.ovn.org",
    kinds: ["UserDefinedNetwork", "ClusterUserDefinedNetwork"],
    owner: "OVN-Kubernetes",
    help: "pods of such a network may be kept from all others, which answers here do not show",
  },
  { group: "k8s.ovn.org", kinds: ["EgressFirewall"], owner: "OVN-Kubernetes" },
  { group: "network.openshift.io", kinds: ["EgressNetworkPolicy"], owner: "OpenShift" },
  {
    group: "k8s.cni.cncf.io",
    kinds: ["MultiNetworkPolicy"],
    owner: "the Network Plumbing Working Group",
    weight: "warning",
    help: "it is about interfaces besides a pod's first one; answers here are about that one",
  },
  {
    group: "kuma.io",
    kinds: ["MeshTrafficPermission", "TrafficPermission"],
    owner: "Kuma",
  },
  { group: "consul.hashicorp.com", kinds: ["ServiceIntentions"], owner: "Consul" },
  { group: "networking.gke.io", kinds: ["FQDNNetworkPolicy"], owner: "GKE" },
  {
    group: "networking.k8s.aws",
    kinds: ["ClusterNetworkPolicy", "ApplicationNetworkPolicy"],
    owner: "Amazon VPC CNI",
  },
  { group: "vpcresources.k8s.aws", kinds: ["SecurityGroupPolicy"], owner: "Amazon VPC CNI" },
  { group: "crd.nsx.vmware.com", kinds: ["SecurityPolicy"], owner: "NSX" },
  { group: "nsx.vmware.com", kinds: ["SecurityPolicy"], owner: "NSX" },
];

/** Undefined: nobody known decides about traffic with it. */
export function unreadKind(group: string, kind: string): UnreadKind | undefined {
  const found = UNREAD.find(
    (one) =>
      (group === one.group || group.endsWith(`.${one.group}`)) &&
      one.kinds?.includes(kind) !== false,
  );
  return (
    found && { owner: found.owner, weight: found.weight ?? "error", help: found.help ?? INSTEAD }
  );
}
