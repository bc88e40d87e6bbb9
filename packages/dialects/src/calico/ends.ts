/** The two ends of a Calico rule: its peers, and whom of its policy's subjects it is for. */
import {
  cidrRange,
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Cidr,
  type Labels,
  type NamespaceScope,
  type Peer,
  type PortMatch,
  type Requirement,
} from "@bulkhead/model";
import { EVERYWHERE, prefixPeers } from "../build/prefix-peers.ts";
import type { BuildInput } from "../dialect.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import type { Expression } from "./expression.ts";
import { accountKey, HOST_ENDPOINT_LABEL, IN_NAMESPACE, namespaceKey, ownKey } from "./labels.ts";
import type { NetworkSetObject } from "./objects.ts";
import type { EntityRule } from "./rule.ts";
import {
  expressionHolds,
  product,
  selectionOf,
  type Selection,
  type ValuesOf,
} from "./selection.ts";

export interface Setting {
  /** Of a policy in a namespace; absent: a global one. */
  readonly home?: string;
  readonly input: BuildInput;
  readonly valuesOf: ValuesOf;
  readonly networkSets: readonly {
    readonly object: NetworkSetObject;
    readonly isGlobal: boolean;
  }[];
  readonly hasHostEndpoints: boolean;
  /** Where a Service leads that is not in the files, others may know. */
  readonly mustKnowServices: boolean;
}

/** Why something cannot be said in the common form. */
export class Beyond extends Error {}

const NOT: (of: Expression) => Expression = (of) => ({ kind: "not", of });
const HOST: Requirement = { key: HOST_ENDPOINT_LABEL, operator: "Exists" };

type Chosen = Pick<
  EntityRule,
  "selector" | "notSelector" | "namespaceSelector" | "serviceAccounts"
>;

/** Requirements that an endpoint of the cluster meets when the clauses hold; null: they ask nothing. */
export function chosenEndpoints(
  { selector, notSelector, namespaceSelector, serviceAccounts }: Chosen,
  { valuesOf }: Setting,
): Selection | null {
  const parts: Selection[] = [];
  const add = (expression: Expression | undefined, keyOf: (key: string) => string) => {
    if (expression === undefined) return;
    const found = selectionOf(expression, valuesOf, keyOf);
    if (found === null) throw new Beyond("a selector with too many combinations");
    parts.push(found);
  };
  add(selector, ownKey);
  add(notSelector === undefined ? undefined : NOT(notSelector), ownKey);
  // `all()` is everybody who is in a namespace (`updateprocessors/rules.go`).
  if (namespaceSelector?.kind === "all") parts.push([[{ key: IN_NAMESPACE, operator: "Exists" }]]);
  else if (namespaceSelector?.kind === "global")
    parts.push([[{ key: IN_NAMESPACE, operator: "DoesNotExist" }]]);
  else add(namespaceSelector, namespaceKey);
  add(serviceAccounts?.selector, accountKey);
  if (serviceAccounts?.names !== undefined && serviceAccounts.names.length > 0)
    parts.push([[{ key: SERVICE_ACCOUNT_LABEL, operator: "In", values: serviceAccounts.names }]]);
  if (parts.length === 0) return null;
  const all = product(parts);
  if (all === null) throw new Beyond("selectors with too many combinations");
  return all;
}

export function scopeOf({ namespaceSelector }: Chosen, { home }: Setting): NamespaceScope {
  return home === undefined || namespaceSelector !== undefined
    ? { kind: "all" }
    : { kind: "named", name: home };
}

export function peersOf(entity: EntityRule | undefined, setting: Setting): readonly Peer[] {
  if (entity === undefined) return [{ kind: "any" }];
  const { nets = [], notNets = [], services, notSelector, ...rest } = entity;
  if (services !== undefined) return servicePeers(services, setting);
  const asks =
    rest.selector !== undefined ||
    rest.namespaceSelector !== undefined ||
    rest.serviceAccounts !== undefined;
  const placed = nets.length + notNets.length > 0;
  if (placed && (asks || notSelector !== undefined))
    throw new Beyond("addresses and selectors at one end of a rule");
  if (placed)
    return prefixPeers(inFamiliesOf(notNets, nets.length > 0 ? nets : EVERYWHERE), notNets);
  if (!asks && notSelector === undefined) return [{ kind: "any" }];
  const chosen = { ...rest, ...(notSelector === undefined ? {} : { notSelector }) };
  const selection = chosenEndpoints(chosen, setting) ?? [[]];
  // A policy in a namespace means that one's endpoints as soon as it selects, or excludes, anybody (`updateprocessors/rules.go`);
  // what a global one only excludes leaves everybody else, whether Calico knows them or not.
  const selects = asks || setting.home !== undefined;
  const scope = scopeOf(rest, setting);
  const endpoints = selection.flatMap((requirements): Peer[] => [
    { kind: "workloads", namespaces: scope, selector: { requirements } },
    ...(setting.hasHostEndpoints && scope.kind === "all" ? [nodes([HOST, ...requirements])] : []),
  ]);
  return selects
    ? [...endpoints, ...setPeers(chosen, setting)]
    : [...endpoints, ...outsiders(notSelector!, setting)];
}

function nodes(requirements: readonly Requirement[]): Peer {
  return {
    kind: "workloads",
    namespaces: { kind: "named", name: NODES_NAMESPACE },
    selector: { requirements },
  };
}

/** Sets of networks are chosen by their labels, as endpoints are. */
function setPeers(chosen: Chosen, setting: Setting): Peer[] {
  if (chosen.serviceAccounts !== undefined) return [];
  return setting.networkSets
    .filter((set) => isChosen(set, chosen, setting))
    .flatMap(({ object }) => prefixPeers(object.spec?.nets ?? [], []));
}

function isChosen(
  { object, isGlobal }: Setting["networkSets"][number],
  { selector, notSelector, namespaceSelector }: Chosen,
  { home, input }: Setting,
): boolean {
  const { metadata } = object;
  const namespace = isGlobal ? undefined : (metadata.namespace ?? DEFAULT_NAMESPACE);
  const own = setLabels(metadata.labels ?? {}, namespace);
  if (selector !== undefined && !expressionHolds(selector, own)) return false;
  if (notSelector !== undefined && expressionHolds(notSelector, own)) return false;
  if (namespaceSelector === undefined) return home === undefined || namespace === home;
  if (namespaceSelector.kind === "all") return namespace !== undefined;
  if (namespaceSelector.kind === "global") return namespace === undefined;
  const found = input.inventory.namespaces.find(({ name }) => name === namespace);
  return expressionHolds(namespaceSelector, {
    ...found?.labels,
    ...(namespace === undefined ? {} : { "projectcalico.org/name": namespace }),
  });
}

function setLabels(labels: Labels, namespace: string | undefined): Labels {
  return namespace === undefined ? labels : { ...labels, "projectcalico.org/namespace": namespace };
}

/** Everybody who is no endpoint, but for the networks that the selector means. */
function outsiders(notSelector: Expression, setting: Setting): Peer[] {
  const excluded = setting.networkSets
    .filter(({ object, isGlobal }) => {
      const { metadata } = object;
      const namespace = isGlobal ? undefined : (metadata.namespace ?? DEFAULT_NAMESPACE);
      return expressionHolds(notSelector, setLabels(metadata.labels ?? {}, namespace));
    })
    .flatMap(({ object }) => object.spec?.nets ?? []);
  const world = prefixPeers(EVERYWHERE, excluded).map((peer): Peer =>
    peer.kind === "cidr" ? { ...peer, matchesWorkloads: false } : peer,
  );
  const bare: readonly Requirement[] = setting.hasHostEndpoints
    ? [{ key: HOST_ENDPOINT_LABEL, operator: "DoesNotExist" }]
    : [];
  return [...world, { kind: "entity", entity: "host" }, nodes(bare)];
}

function servicePeers(
  { name, namespace }: NonNullable<EntityRule["services"]>,
  { home, input, mustKnowServices }: Setting,
): readonly Peer[] {
  const within = namespace ?? home ?? DEFAULT_NAMESPACE;
  const selector = input.services.named(within, name)?.selector;
  if (selector === undefined && mustKnowServices)
    throw new Beyond(`a Service that leads nowhere here, \`${within}/${name}\`,`);
  if (selector === undefined) return [];
  return [{ kind: "workloads", namespaces: { kind: "named", name: within }, selector }];
}

export function servicePorts(
  { name, namespace }: NonNullable<EntityRule["services"]>,
  { home, input }: Setting,
): readonly PortMatch[] {
  const found = input.services.named(namespace ?? home ?? DEFAULT_NAMESPACE, name);
  return (found?.ports ?? []).map(({ target, protocol }): PortMatch =>
    typeof target === "number"
      ? { kind: "range", protocol, first: target, last: target }
      : { kind: "named", protocol, name: target },
  );
}

/** Felix renders no rule for a family of which a list of nets, `notNets` too, has none (`FilterRuleToIPVersion`). */
function inFamiliesOf(notNets: readonly Cidr[], nets: readonly Cidr[]): readonly Cidr[] {
  if (notNets.length === 0) return nets;
  const families = new Set(notNets.map((net) => cidrRange(net).family));
  return nets.filter((net) => families.has(cidrRange(net).family));
}
