/** Peers and subjects as native resources write them: by selector, by set, by prefix, by entity, or anyone. */
import type { Selector } from "@bulkhead/model";
import { fields, optional, required, variants } from "../text/fields.ts";
import { constant, either, list, mapped, type Read, shared, word } from "../text/shape.ts";
import { outsideExcept } from "./except.ts";
import { cidr } from "./networks.ts";
import { namespaceOrAll, reference, selector, selectorText } from "./values.ts";

const workloadFields = {
  selector: required(selector, "Which workloads, by label."),
  namespace: optional(
    namespaceOrAll,
    "Namespace they are in; `*` = every one. The resource's own when absent.",
  ),
  namespaceSelector: optional(selector, "Namespaces by their labels, instead of by name."),
};

const workloads = mapped(fields("a selection of workloads", workloadFields), (value, node, at) => {
  if (value.namespace !== undefined && value.namespaceSelector !== undefined) {
    at.report("BH0109", node, "`namespace` and `namespaceSelector` exclude each other");
    return undefined;
  }
  return { kind: "workloads" as const, ...value };
});

const shortWorkloads = mapped(selectorText, (value: Selector, node, at) => ({
  kind: "workloads" as const,
  selector: value,
  namespace: undefined,
  namespaceSelector: undefined,
  source: at.span(node),
}));

export const subject = either("a selector, or a map with `selector`", shortWorkloads, workloads);

const longPeer = variants("a peer", {
  selector: workloads,
  networkSet: mapped(
    fields("a peer by set", { networkSet: required(reference, "Name of a NetworkSet.") }),
    (value) => ({ kind: "networkSet" as const, ...value }),
  ),
  cidr: mapped(
    fields("a peer by prefix", {
      cidr: required(cidr),
      except: optional(list(cidr, "prefixes"), "Taken out of this peer; it is not a deny."),
    }),
    (value, node, at) =>
      outsideExcept(value.cidr, value.except ?? [], node, at)
        ? undefined
        : { kind: "cidr" as const, ...value },
  ),
  entity: mapped(
    fields("a peer by entity", {
      entity: required(
        word("entity", "host", "world", "broadcast", "multicast"),
        "`host`: this machine's own addresses. `world`: every address that is neither a workload nor the host nor a group of listeners. `broadcast`: 255.255.255.255. `multicast`: 224.0.0.0/4 and ff00::/8; in `from`, what is sent to such groups, whoever sends it.",
      ),
    }),
    (value) => ({ kind: "entity" as const, ...value }),
  ),
  any: mapped(
    fields("a peer", { any: required(constant(true), "Every address.") }),
    ({ source }) => ({ kind: "any" as const, source }),
  ),
});

export const peer = shared("peer", either("a selector or a peer", shortWorkloads, longPeer));
export const peers = list(peer, "peers");

export type NativePeer = Read<typeof peer>;
export type NativeWorkloads = Read<typeof subject>;
