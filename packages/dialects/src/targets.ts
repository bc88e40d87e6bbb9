/**
 * What policy can be written for, by the names people give it: each target says how the stages of a set are arranged for it, and
 * which of its printers writes them. Reading is in `dialect-list.ts`.
 */
import type { Inventory, PolicySet } from "@bulkhead/model";
import { exportAntrea } from "./antrea/export.ts";
import { exportCalico } from "./calico/export.ts";
import { exportCilium } from "./cilium/export.ts";
import {
  withDenialsApart,
  withDenialsApartIfNeeded,
  withDenialsInside,
  withEndsSaid,
  withoutEmpty,
  withoutIdle,
  withoutOverruled,
} from "./export/arrange.ts";
import type { Exported, ExportOptions } from "./export/exported.ts";
import { withPlainLabels } from "./export/plain-labels.ts";
import { inSlots } from "./export/slots.ts";
import { exportIstio } from "./istio/export.ts";
import { exportNetworkPolicies } from "./kubernetes/export.ts";
import { exportNative } from "./native/export.ts";
import { exportAdminPolicies, exportClusterPolicies } from "./network-policy-api/export.ts";

export interface TargetOptions extends ExportOptions {
  /** Who is there: some targets have policies for one namespace each, others know callers by their accounts. */
  readonly inventory: Pick<Inventory, "workloads" | "namespaces">;
  /** How an ipBlock of Kubernetes is read. */
  readonly ipBlockMatchesWorkloads: boolean;
}

export interface Target {
  readonly name: string;
  /** Other names people know it by. */
  readonly aliases: readonly string[];
  readonly title: string;
  /** Do its prefixes hold addresses of pods and nodes? Undefined: as Kubernetes is read. */
  readonly prefixesHoldWorkloads?: boolean;
  /** The set should be built without the guard of metadata addresses. */
  write(set: PolicySet, options: TargetOptions): Exported;
}

const plain = (set: PolicySet): PolicySet => withEndsSaid(withPlainLabels(withoutEmpty(set)));
const ONE_EACH = { before: ["admin"], after: ["admin-baseline"] } as const;
const NATIVE = { before: ["emergency", "guardrail"], after: ["baseline"] } as const;

const kubernetesOptions = ({ inventory, ...options }: TargetOptions) => ({
  ...options,
  namespaces: inventory.namespaces,
});

export const TARGETS: readonly Target[] = [
  {
    name: "kubernetes",
    aliases: ["networkpolicy", "k8s", "np"],
    title: "Kubernetes NetworkPolicy",
    write: (set, options) => exportNetworkPolicies(plain(set), kubernetesOptions(options)),
  },
  {
    name: "clusternetworkpolicy",
    aliases: ["cluster-network-policy", "cnp"],
    title: "ClusterNetworkPolicy v1alpha2 and NetworkPolicy",
    write: (set, options) =>
      exportClusterPolicies(
        inSlots(withDenialsApart(plain(set)), ONE_EACH),
        kubernetesOptions(options),
      ),
  },
  {
    name: "adminnetworkpolicy",
    aliases: ["admin-network-policy", "anp", "banp"],
    title: "AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1, and NetworkPolicy",
    write: (set, options) =>
      exportAdminPolicies(
        inSlots(withDenialsApart(plain(set)), ONE_EACH),
        kubernetesOptions(options),
      ),
  },
  {
    name: "cilium",
    aliases: [],
    title: "Cilium",
    prefixesHoldWorkloads: false,
    write: (set, options) => exportCilium(withDenialsInside(plain(set)), options),
  },
  {
    name: "calico",
    aliases: [],
    title: "Calico",
    prefixesHoldWorkloads: true,
    write: (set, options) => exportCalico(set, options),
  },
  {
    name: "istio",
    aliases: [],
    title: "Istio",
    prefixesHoldWorkloads: true,
    write: (set, options) => exportIstio(withDenialsInside(plain(set)), options),
  },
  {
    name: "antrea",
    aliases: [],
    title: "Antrea, and NetworkPolicy",
    prefixesHoldWorkloads: true,
    write: (set, options) =>
      exportAntrea(
        inSlots(withDenialsApart(plain(set)), { after: ["baseline"] }),
        kubernetesOptions(options),
      ),
  },
  {
    name: "bulkhead",
    aliases: ["native"],
    title: "Bulkhead",
    prefixesHoldWorkloads: true,
    write: (set, options) =>
      exportNative(
        inSlots(withDenialsApartIfNeeded(withoutIdle(withoutOverruled(plain(set)))), NATIVE),
        options,
      ),
  },
];

export const findTarget = (name: string): Target | undefined =>
  TARGETS.find((target) => target.name === name || target.aliases.includes(name));
