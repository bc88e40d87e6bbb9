/**
 * Which reader takes an object, by its apiVersion and kind; and what is said of objects that none takes. Policy of a
 * dialect that is not read is an error by name: to skip it silently would be to allow what it denies.
 */
import { API_VERSION } from "@bulkhead/model";
import { DIALECTS } from "./dialect-list.ts";
import type { Dialect, ForeignKind } from "./dialect.ts";
import { KUBERNETES_KINDS, kubernetesReader } from "./kubernetes/kinds.ts";
import { networkPolicy } from "./kubernetes/network-policy.ts";
import { NATIVE_KINDS, type NativeResource } from "./native/kinds.ts";
import { readPartly } from "./partial.ts";
import type { Resource } from "./resource.ts";
import type { Extent, MapEntry, MapNode, TreeNode } from "./text/document.ts";
import { didYouMean, nearest } from "./text/near.ts";
import { isNull, type Reader } from "./text/reader.ts";
import { wrongType, type Shape } from "./text/shape.ts";
import { unreadKind } from "./unread-kinds.ts";

const NATIVE_GROUP = "bulkhead.dev/";
const NATIVE: Readonly<Record<string, Shape<NativeResource>>> = NATIVE_KINDS;

const NETWORKING_KINDS = ["NetworkPolicy", "Ingress", "IngressClass", "IPAddress", "ServiceCIDR"];

const entry = (map: MapNode, key: string): MapEntry | undefined =>
  map.entries.find((one) => one.key === key);

const textOf = (found: MapEntry | undefined): string | undefined =>
  found?.value.kind === "scalar" && typeof found.value.value === "string"
    ? found.value.value
    : undefined;

/** Files that others make manifests of, by their names; and what to give us instead. */
const RECIPES: readonly (readonly [file: RegExp, help: string])[] = [
  [/(?:^|[/\\])kustomization(?:\.ya?ml)?$/i, "give what `kustomize build` prints"],
  [/(?:^|[/\\])(?:Chart|values)\.yaml$/, "give what `helm template` prints"],
];
const KUSTOMIZE_GROUP = "kustomize.config.k8s.io";

const reportRecipe = (place: TreeNode | Extent, help: string, at: Reader): void => {
  at.report("BH0401", place, "this says how manifests are made, and is none: left out", help);
};

export interface Head {
  readonly map: MapNode;
  readonly apiVersion: string;
  readonly kind: string;
  readonly kindEntry: MapEntry | undefined;
  readonly versionEntry: MapEntry | undefined;
}

/** apiVersion and kind, or an error when the tree is no object. Items of a typed list inherit from it. */
export const readHead = (
  tree: TreeNode,
  at: Reader,
  inherited?: { readonly apiVersion: string; readonly kind: string },
  strangers: "refused" | "left" = "refused",
): Head | null => {
  const stranger = (place: TreeNode): null => {
    at.report(
      "BH0006",
      place,
      "this document is no resource",
      "a resource has `apiVersion`, `kind`, `metadata` and `spec`",
      strangers === "left" ? "warning" : undefined,
    );
    return null;
  };
  if (tree.kind !== "map") return stranger(tree);
  const recipe = RECIPES.find(([name]) => name.test(at.span(tree).file));
  if (recipe !== undefined && entry(tree, "kind") === undefined) {
    reportRecipe(tree.entries[0]?.keyExtent ?? tree, recipe[1], at);
    return null;
  }
  const versionEntry = entry(tree, "apiVersion");
  const kindEntry = entry(tree, "kind");
  const nameless = versionEntry === undefined && kindEntry === undefined;
  if (nameless && inherited === undefined && strangers === "left") return stranger(tree);
  const apiVersion = textOf(versionEntry) ?? inherited?.apiVersion;
  const kind = textOf(kindEntry) ?? inherited?.kind;
  if (apiVersion !== undefined && kind !== undefined) {
    return { map: tree, apiVersion, kind, kindEntry, versionEntry };
  }
  const place = tree.entries[0]?.keyExtent ?? tree;
  const lacking = apiVersion === undefined ? "apiVersion" : "kind";
  at.report(
    "BH0006",
    (lacking === "kind" ? kindEntry : versionEntry)?.keyExtent ?? place,
    `a resource needs \`${lacking}\`, as text`,
  );
  return null;
};

/** `List` or `PodList`: its items, with what they inherit. */
export const listItems = (
  head: Head,
  at: Reader,
): {
  readonly items: readonly TreeNode[];
  readonly inherited?: { readonly apiVersion: string; readonly kind: string };
} | null => {
  const items = entry(head.map, "items")?.value;
  if (!head.kind.endsWith("List") || items === undefined) return null;
  const kind = head.kind.slice(0, -"List".length);
  const inherited = { apiVersion: head.apiVersion, kind };
  if (items.kind !== "list") {
    // Other kinds end in "List" by chance.
    if (kind !== "" && !isRead(inherited)) return null;
    // An empty one, as Go writes it.
    if (!isNull(items)) wrongType(items, "a list of resources", at);
    return { items: [] };
  }
  return { items: items.items, ...(kind === "" ? {} : { inherited }) };
};

/** Is there a reader for it? */
const isRead = (head: Pick<Head, "apiVersion" | "kind">): boolean =>
  head.kind === "NetworkPolicy" ||
  foreignKind(head) !== undefined ||
  kubernetesReader(group(head.apiVersion), head.kind) !== undefined;

/** A sound object, or what could be read of one with errors. */
export interface ReadObject {
  readonly resource?: Resource | undefined;
  readonly partial?: Resource;
}

const readNative = (head: Head, at: Reader): ReadObject => {
  if (head.apiVersion !== API_VERSION) {
    at.report(
      "BH0106",
      head.versionEntry?.value ?? head.map,
      `unknown apiVersion \`${head.apiVersion}\``,
      `did you mean \`${API_VERSION}\`?`,
    );
    return {};
  }
  const shape = Object.hasOwn(NATIVE, head.kind) ? NATIVE[head.kind] : undefined;
  if (shape === undefined) {
    at.report(
      "BH0101",
      head.kindEntry?.value ?? head.map,
      `unknown kind \`${head.kind}\``,
      didYouMean(head.kind, Object.keys(NATIVE)),
    );
    return {};
  }
  const object = shape.read(head.map, at);
  if (object !== undefined) return { resource: { dialect: "native", object } };
  const part = readPartly(head.map, head.kind, shape.read, at);
  return part === undefined ? {} : { partial: { dialect: "native", object: part } };
};

const readKubernetesPolicy = (head: Head, at: Reader): ReadObject => {
  if (head.apiVersion !== "networking.k8s.io/v1") {
    at.report(
      "BH0106",
      head.versionEntry?.value ?? head.map,
      `unknown apiVersion \`${head.apiVersion}\` of NetworkPolicy`,
      "did you mean `networking.k8s.io/v1`?",
    );
    return {};
  }
  const of = { dialect: "kubernetes", role: "policy" } as const;
  const object = networkPolicy.read(head.map, at);
  if (object !== undefined) return { resource: { ...of, object } };
  const part = readPartly(head.map, head.kind, networkPolicy.read, at);
  return part === undefined ? {} : { partial: { ...of, object: part } };
};

/** They say who is there, what an address is called, or what is expected: by their names they decide nothing. */
const NOT_DECIDING: readonly string[] = [
  "Inventory",
  "NetworkSet",
  "PolicyTest",
  "CiliumCIDRGroup",
  ...["NetworkSet", "GlobalNetworkSet", "Tier", "HostEndpoint"].map(
    (kind) => `${kind}.projectcalico.org`,
  ),
];

export const isDeciding = (kind: string): boolean =>
  !NOT_DECIDING.includes(kind) && !KUBERNETES_KINDS.includes(kind);

const group = (apiVersion: string): string => apiVersion.split("/").at(-2) ?? "";

const inGroupOf = (group: string, { group: owner }: Dialect): boolean =>
  group === owner || group.endsWith(`.${owner}`);

/** Undefined: no dialect of ours has this kind. */
const foreignKind = (head: Pick<Head, "apiVersion" | "kind">): ForeignKind | undefined => {
  const inGroup = group(head.apiVersion);
  return DIALECTS.filter((dialect) => inGroupOf(inGroup, dialect))
    .flatMap(({ kinds }) => kinds)
    .find(({ kind }) => kind === head.kind);
};

const readForeign = (
  head: Head,
  { kind, versions: usual, versionsIn, shape }: ForeignKind,
  at: Reader,
): ReadObject => {
  const inGroup = group(head.apiVersion);
  const versions = versionsIn?.[inGroup] ?? usual;
  const version = head.apiVersion.slice(inGroup.length + 1);
  if (!versions.includes(version)) {
    at.report(
      "BH0106",
      head.versionEntry?.value ?? head.map,
      `unknown apiVersion \`${head.apiVersion}\` of ${kind}`,
      `did you mean \`${inGroup}/${versions[0]}\`?`,
    );
    return {};
  }
  return { resource: shape.read(head.map, at) };
};

/** Undefined: it is the configuration of nothing that we read. */
const configMapReader = (head: Head, inGroup: string): Shape<Resource> | undefined => {
  if (inGroup !== "" || head.kind !== "ConfigMap") return undefined;
  const metadata = entry(head.map, "metadata")?.value;
  const name = metadata?.kind === "map" ? textOf(entry(metadata, "name")) : undefined;
  return DIALECTS.find(({ configMap }) => configMap?.name === name)?.configMap?.shape;
};

const reportUnread = (head: Head, at: Reader): void => {
  const place = head.kindEntry?.value ?? head.map;
  const inGroup = group(head.apiVersion);
  if (inGroup === KUSTOMIZE_GROUP) {
    reportRecipe(place, "give what `kustomize build` prints", at);
    return;
  }
  const ours = DIALECTS.find((dialect) => inGroupOf(inGroup, dialect));
  if (ours?.bystanders?.includes(head.kind) === true) {
    at.report("BH0401", place, `\`${head.kind}\` does not decide who may connect: ignored`);
    return;
  }
  if (ours !== undefined) {
    const help = didYouMean(
      head.kind,
      ours.kinds.map(({ kind }) => kind),
    );
    at.report("BH0101", place, `unknown kind \`${head.kind}\` of ${ours.title}`, help);
    return;
  }
  const unread = unreadKind(inGroup, head.kind);
  if (unread !== undefined) {
    const { owner, weight, help } = unread;
    at.report("BH0402", place, `\`${head.kind}\` of ${owner} is not read`, help, weight);
    return;
  }
  const near = inGroup === "networking.k8s.io" ? nearest(head.kind, NETWORKING_KINDS) : null;
  if (near !== null && near !== head.kind) {
    at.report("BH0101", place, `unknown kind \`${head.kind}\``, `did you mean \`${near}\`?`);
    return;
  }
  const native = nearest(head.apiVersion, [API_VERSION]);
  if (native !== null || (inGroup === "" && Object.hasOwn(NATIVE, head.kind))) {
    at.report(
      "BH0106",
      head.versionEntry?.value ?? head.map,
      `unknown apiVersion \`${head.apiVersion}\``,
      `did you mean \`${API_VERSION}\`?`,
    );
    return;
  }
  at.report("BH0401", place, `\`${head.kind}\` says nothing about the network: ignored`);
};

/** One object to a resource; nothing when it is none of ours, at most a part when it has errors, which are reported. */
export const readObject = (head: Head, native: Reader, lenient: Reader): ReadObject => {
  if (head.apiVersion.startsWith(NATIVE_GROUP)) return readNative(head, native);
  const inGroup = group(head.apiVersion);
  if (head.kind === "NetworkPolicy" && ["networking.k8s.io", "extensions"].includes(inGroup)) {
    return readKubernetesPolicy(head, lenient);
  }
  const foreign = foreignKind(head);
  if (foreign !== undefined) return readForeign(head, foreign, lenient);
  const settings = configMapReader(head, inGroup);
  if (settings !== undefined) return { resource: settings.read(head.map, lenient) };
  const ofKubernetes = kubernetesReader(inGroup, head.kind);
  if (ofKubernetes !== undefined) return { resource: ofKubernetes(head.map, lenient) };
  reportUnread(head, native);
  return {};
};
