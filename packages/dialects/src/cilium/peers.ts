/** Who stands at the other end: each way to say it, as lists of one kind. A rule has at most one of them. */
import { cidrCovers, parseCidrOrAddress, type Cidr, type Selector } from "@bulkhead/model";
import { cidr as prefix } from "../kubernetes/network-policy.ts";
import { labelSelector, name } from "../native/values.ts";
import { fields, optional, required } from "../text/fields.ts";
import { list, mapped, text, word, type Read, type Shape } from "../text/shape.ts";
import type { DomainMatch } from "./names.ts";
import { ciliumSelector, RESERVED, type CiliumSelector } from "./selector.ts";

export type CidrSource =
  | { readonly kind: "prefix"; readonly cidr: Cidr }
  | { readonly kind: "group"; readonly name: string }
  | { readonly kind: "groups"; readonly selector: Selector };

const cidrRule = mapped(
  fields("a CIDR rule", {
    cidr: optional(prefix),
    cidrGroupRef: optional(name),
    cidrGroupSelector: optional(labelSelector),
    except: optional(list(prefix, "prefixes")),
  }),
  ({ cidr, cidrGroupRef, cidrGroupSelector, except = [], source }, node, at) => {
    const given: readonly CidrSource[] = [
      ...(cidr === undefined ? [] : [{ kind: "prefix", cidr } as const]),
      ...(cidrGroupRef === undefined ? [] : [{ kind: "group", name: cidrGroupRef } as const]),
      ...(cidrGroupSelector === undefined
        ? []
        : [{ kind: "groups", selector: cidrGroupSelector } as const]),
    ];
    const [only, second] = given;
    if (only === undefined || second !== undefined) {
      const which = "`cidr`, `cidrGroupRef`, `cidrGroupSelector`";
      at.report(
        second === undefined ? "BH0103" : "BH0109",
        node,
        second === undefined
          ? `a CIDR rule needs one of ${which}`
          : `of ${which} only one can stand in a CIDR rule`,
      );
      return undefined;
    }
    const outside = except.filter((part) => cidr !== undefined && !cidrCovers(cidr, part));
    for (const part of outside) {
      at.report("BH0208", node, `\`${part}\` is not inside \`${cidr}\``);
    }
    return outside.length > 0 ? undefined : { from: only, except, source };
  },
);

export type CidrRule = NonNullable<Read<typeof cidrRule>>;

const serviceByName = fields("a Service by name", {
  serviceName: required(text),
  namespace: optional(text),
});
const servicesByLabels = fields("Services by labels", {
  selector: required(ciliumSelector),
  namespace: optional(text),
});

const service = mapped(
  fields("a Service", {
    k8sService: optional(serviceByName),
    k8sServiceSelector: optional(servicesByLabels),
  }),
  (value, node, at) => {
    const { k8sService, k8sServiceSelector } = value;
    if ((k8sService === undefined) !== (k8sServiceSelector === undefined)) return value;
    const both = k8sService !== undefined;
    at.report(
      both ? "BH0109" : "BH0103",
      node,
      both
        ? "`k8sService` and `k8sServiceSelector` exclude each other"
        : "a Service needs one of `k8sService`, `k8sServiceSelector`",
      both ? "make it two entries" : undefined,
    );
    return undefined;
  },
);

export type ServiceRule = Read<typeof service>;

const entity = word("entity", "all", "cluster", "namespace", ...RESERVED);
export type Entity = Read<typeof entity>;

export const selectors = optional(list(ciliumSelector, "selectors"));

/** The agent takes a single address here, which the schema of the resource does not. */
const prefixOrAddress: Shape<Cidr> = {
  ...prefix,
  read: (node, at) => {
    const address = node.kind === "scalar" && typeof node.value === "string" ? node.value : "/";
    const read = address.includes("/") ? null : parseCidrOrAddress(address);
    if (read === null) return prefix.read(node, at);
    at.report(
      "BH0203",
      node,
      `\`${address}\` is an address, and wanted is a prefix`,
      `read as \`${read.cidr}\``,
      "warning",
    );
    return read.cidr;
  },
};

export const prefixes = optional(list(prefixOrAddress, "prefixes"));
export const cidrRules = optional(list(cidrRule, "CIDR rules"));
export const entities = optional(list(entity, "entities"));
export const services = optional(list(service, "Services"));

export type CiliumPeers =
  | { readonly kind: "endpoints" | "nodes"; readonly selectors: readonly CiliumSelector[] }
  | { readonly kind: "cidrs"; readonly rules: readonly Pick<CidrRule, "from" | "except">[] }
  | { readonly kind: "entities"; readonly entities: readonly Entity[] }
  | { readonly kind: "services"; readonly services: readonly ServiceRule[] }
  | { readonly kind: "domains"; readonly domains: readonly DomainMatch[] }
  /** A list was given, and it is empty: nobody (SEMANTICS trap 2). */
  | { readonly kind: "nobody" };
