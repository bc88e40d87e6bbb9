/**
 * What peers that no file has are called in exposures: `[namespace with {env=prod}]/[all pods]`, in netpol-analyzer's words.
 * What a dialect tells by labels and namespaces of its own is told in words of people: `[all nodes]`, `[entity health]`.
 */
import {
  formatSelector,
  isReservedLabel,
  isReservedNamespace,
  SERVICE_ACCOUNT_LABEL,
  type NamespaceScope,
  type Peer,
  type Requirement,
} from "@bulkhead/model";

export type WorkloadPeer = Extract<Peer, { kind: "workloads" }>;

export const EVERYBODY = "entire-cluster";
const NAME_LABEL = "kubernetes.io/metadata.name";
/** As the dialects call it; nobody else can. */
const MESH_LABEL = ":mesh";

export function titleOf({ namespaces, selector: { requirements } }: WorkloadPeer): string {
  const kind = isOfNodes(namespaces) ? "node" : "pod";
  const entity = requirements.find(({ key }) => isEntity(key));
  if (entity !== undefined) return `[entity ${entity.key.slice(1)}]`;
  const said = requirements.filter((one) => phraseOf(one) === undefined);
  const phrases = requirements.flatMap((one) => phraseOf(one) ?? []);
  const everyOne = said.length === 0 && phrases.length === 0;
  if (kind === "pod" && everyOne && isEveryNamespace(namespaces)) return EVERYBODY;
  const labels = said.length === 0 ? "" : ` with {${selectorText(said)}}`;
  const named = labels === "" ? `all ${kind}s` : `${kind}${labels}`;
  const title = `[${[named, ...phrases].join(" ")}]`;
  return kind === "node" ? title : `${scopeTitle(namespaces)}/${title}`;
}

function isOfNodes(scope: NamespaceScope): boolean {
  return scope.kind === "named" && isReservedNamespace(scope.name);
}

/** Cilium's own pods and API servers, and whoever it does not know yet. */
function isEntity(key: string): boolean {
  return isReservedLabel(key) && key !== SERVICE_ACCOUNT_LABEL && key !== MESH_LABEL;
}

function phraseOf(one: Requirement): string | undefined {
  if (one.key === MESH_LABEL && one.operator === "Exists") return "in the mesh";
  if (one.key === MESH_LABEL && one.operator === "DoesNotExist") return "outside the mesh";
  if (one.key !== SERVICE_ACCOUNT_LABEL || one.operator !== "In") return undefined;
  return `of service account ${one.values.join(" or ")}`;
}

function selectorText(requirements: readonly Requirement[]): string {
  const named = requirements.map((one) =>
    isReservedLabel(one.key) ? { ...one, key: one.key.slice(1) } : one,
  );
  return formatSelector({ requirements: named });
}

function isEveryNamespace(scope: NamespaceScope): boolean {
  return (
    scope.kind === "all" || (scope.kind === "selected" && scope.selector.requirements.length === 0)
  );
}

function scopeTitle(scope: NamespaceScope): string {
  if (scope.kind === "named") return scope.name;
  if (scope.kind === "all" || scope.selector.requirements.length === 0) return "[all namespaces]";
  const [only, ...more] = scope.selector.requirements;
  const named =
    more.length === 0 && only?.key === NAME_LABEL && only.operator === "In" ? only.values : [];
  return named.length === 1 ? named[0]! : `[namespace with {${formatSelector(scope.selector)}}]`;
}
