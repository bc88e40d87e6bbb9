/**
 * Whom peers mean, as sources of an AuthorizationPolicy. A mesh knows callers by their certificates, which name a namespace and a
 * service account: labels have to be told by accounts, and who has no certificate cannot be named at all.
 */
import {
  isReservedNamespace,
  matches,
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Inventory,
  type Peer,
  type Requirement,
  type Rule,
  type Workload,
} from "@bulkhead/model";
import { narrowed, type ExportedObject, type Losses } from "../export/exported.ts";
import { dataPlanes, MESH_LABEL } from "./mesh.ts";

type Chosen = Extract<Peer, { kind: "workloads" }>;

export interface MeshView {
  readonly inventory: Pick<Inventory, "workloads" | "namespaces">;
  readonly inMesh: (workload: Workload) => boolean;
  readonly losses: Losses;
}

const TRUST_DOMAIN = "cluster.local";

export const meshView = (
  inventory: Pick<Inventory, "workloads" | "namespaces">,
  losses: Losses,
): MeshView => {
  const { planes } = dataPlanes(inventory);
  return { inventory, inMesh: ({ id }) => planes.has(id), losses };
};

const accountOf = ({ labels }: Workload): string => labels[SERVICE_ACCOUNT_LABEL] ?? "default";
const principal = (namespace: string, account: string): string =>
  `${TRUST_DOMAIN}/ns/${namespace}/sa/${account}`;
const principalOf = (workload: Workload): string =>
  principal(workload.namespace, accountOf(workload));

const isInMesh = ({ key, operator }: Requirement): boolean =>
  key === MESH_LABEL && operator === "Exists";

/** Pods of the files that a selection means, on no node's network. */
export const chosenWorkloads = (
  { namespaces, selector }: Chosen,
  { inventory }: MeshView,
): readonly Workload[] => {
  const own = { requirements: selector.requirements.filter((one) => !isInMesh(one)) };
  const labelsOf = new Map(inventory.namespaces.map(({ name, labels }) => [name, labels]));
  return inventory.workloads.filter(
    ({ namespace, labels, hostNetwork }) =>
      !hostNetwork &&
      !isReservedNamespace(namespace) &&
      matches(own, labels) &&
      (namespaces.kind === "all" ||
        (namespaces.kind === "named"
          ? namespaces.name === namespace
          : matches(namespaces.selector, labelsOf.get(namespace) ?? {}))),
  );
};

/** Whoever has no certificate, in the words that `notPrincipals` is read as. */
const isWithoutIdentity = (peer: Peer): boolean =>
  (peer.kind === "workloads" &&
    (peer.namespaces.kind === "named"
      ? peer.namespaces.name === NODES_NAMESPACE && peer.selector.requirements.length === 0
      : peer.selector.requirements.some(
          ({ key, operator }) => key === MESH_LABEL && operator === "DoesNotExist",
        ))) ||
  peer.kind === "entity";

interface Callers {
  readonly namespaces: readonly string[];
  readonly principals: readonly string[];
}

const identified = (peer: Chosen, rule: Rule, view: MeshView): Callers => {
  const { inventory, inMesh, losses } = view;
  const { namespaces } = peer;
  const asked = peer.selector.requirements.filter((one) => !isInMesh(one));
  const [only, ...more] = asked;
  const home = namespaces.kind === "named" ? namespaces.name : undefined;
  if (home !== undefined && more.length === 0 && only?.key === SERVICE_ACCOUNT_LABEL)
    if (only.operator === "In")
      return { namespaces: [], principals: only.values.map((one) => principal(home, one)) };
  const meant = chosenWorkloads(peer, view);
  const isMeshOnly = peer.selector.requirements.some(isInMesh);
  const outside = isMeshOnly ? undefined : meant.find((one) => !inMesh(one));
  if (outside !== undefined)
    narrowed(rule, `\`${outside.id}\` is outside the mesh and has no certificate`, losses);
  if (asked.length === 0 && namespaces.kind === "all") return { namespaces: [], principals: ["*"] };
  if (asked.length === 0) {
    const names = home === undefined ? [...new Set(meant.map((one) => one.namespace))] : [home];
    if (home === undefined && names.length > 0)
      losses.note(
        rule.source,
        "namespaces are told by name",
        `those that are here: ${names.join(", ")}`,
      );
    return { namespaces: names, principals: [] };
  }
  const callers = meant.filter(inMesh);
  if (callers.length === 0)
    losses.note(
      rule.source,
      "nobody is here whom this rule means",
      "a mesh knows callers by their certificates, and nobody has one of theirs",
    );
  const strangers = inventory.workloads.filter((one) => inMesh(one) && !meant.includes(one));
  const principals = [...new Set(callers.map(principalOf))].filter((name) => {
    const other = strangers.find((one) => principalOf(one) === name);
    if (other === undefined) return true;
    const what = `\`${other.id}\` has the service account of callers that this rule means`;
    return losses.choose(rule, what) === "widen";
  });
  if (principals.length > 0)
    losses.note(
      rule.source,
      "callers are told by their service accounts",
      principals.map((one) => one.slice(TRUST_DOMAIN.length + 1)).join(", "),
    );
  return { namespaces: [], principals };
};

export interface Sources {
  /** `everyone`: no `from` at all. */
  readonly from: readonly ExportedObject[] | "everyone";
  /** All of them have a certificate. */
  readonly areIdentified: boolean;
}

const EVERYONE: Sources = { from: "everyone", areIdentified: false };

export const sourcesOf = (rule: Rule, view: MeshView): Sources => {
  const { losses, inventory, inMesh } = view;
  if (rule.peers.some(({ kind }) => kind === "any")) return EVERYONE;
  const strangers = rule.peers.filter(isWithoutIdentity);
  const isInverse = strangers.length === 4;
  const namespaces: string[] = [];
  const principals: string[] = [];
  const blocks: ExportedObject[] = [];
  for (const peer of rule.peers) {
    if (isInverse && strangers.includes(peer)) continue;
    switch (peer.kind) {
      case "any":
        break;
      case "workloads": {
        const ofNodes =
          peer.namespaces.kind === "named" && isReservedNamespace(peer.namespaces.name);
        if (ofNodes) narrowed(rule, "this rule speaks of nodes", losses);
        const found = ofNodes ? undefined : identified(peer, rule, view);
        namespaces.push(...(found?.namespaces ?? []));
        principals.push(...(found?.principals ?? []));
        break;
      }
      case "cidr": {
        const what = `\`${peer.cidr}\` without pods and nodes`;
        if (!peer.matchesWorkloads && losses.choose(rule, what) !== "widen") break;
        const { cidr, except } = peer;
        blocks.push({
          ipBlocks: [cidr],
          ...(except.length === 0 ? {} : { notIpBlocks: except }),
        });
        break;
      }
      case "entity":
        narrowed(rule, `this rule speaks of \`${peer.entity}\``, losses);
        break;
      case "domain":
        narrowed(rule, `this rule names \`${peer.pattern}\``, losses);
        break;
    }
  }
  if (isInverse) {
    const known = inventory.workloads
      .filter(inMesh)
      .filter((one) => !namespaces.includes(one.namespace));
    const out = [...new Set(known.map(principalOf))].filter((one) => !principals.includes(one));
    if (out.length === 0) return EVERYONE;
    return {
      from: [{ source: { notPrincipals: out } }, ...blocks.map((source) => ({ source }))],
      areIdentified: false,
    };
  }
  const sources = [
    ...(namespaces.length === 0 ? [] : [{ namespaces: [...new Set(namespaces)] }]),
    ...(principals.length === 0 ? [] : [{ principals: [...new Set(principals)] }]),
    ...blocks,
  ];
  return { from: sources.map((source) => ({ source })), areIdentified: blocks.length === 0 };
};
