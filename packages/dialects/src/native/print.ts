/**
 * Native resources to YAML that a person keeps: fields in the order of the documentation, resources in a stable order,
 * comments where they belong (evidence above the rule it stands for). `parseFiles` reads it back as the same resources.
 */
import type { NativeKind, NativeManifest } from "@bulkhead/model";
import { Document, isCollection, isMap, isNode, isPair, isScalar, isSeq, visit } from "yaml";

export interface Comment {
  /** Keys and indices from the resource down to the node the comment stands above; `[]` = above the resource. */
  readonly path: readonly (string | number)[];
  /** May have several lines; without `#`. */
  readonly text: string;
}

export interface CommentedResource {
  readonly manifest: NativeManifest;
  readonly comments: readonly Comment[];
}

const KIND_ORDER: Readonly<Record<NativeKind, number>> = {
  Inventory: 0,
  NetworkSet: 1,
  Policy: 2,
  Intent: 3,
  Exception: 4,
  PolicyTest: 5,
};

/** Keys of every level in reading order; what is not listed follows in its own order. */
const KEY_ORDER = `
  apiVersion kind metadata spec
  selector name namespace namespaceSelector labels annotations
  owner reason tier priority mode expires subject ingress egress
  action from to ports port http names expect description
  networkSet cidr except entity any
  namespaces workloads netns container unit addresses sockets borrowedSockets protocol cidrs tests`
  .trim()
  .split(/\s+/);
const RANK = new Map(KEY_ORDER.map((key, i) => [key, i]));
const rank = (key: string): number => RANK.get(key) ?? KEY_ORDER.length;

/** `owner` of a workload stands after its name; labels and annotations keep their alphabet. */
const reordered = (value: unknown, freeKeys: boolean): unknown => {
  if (Array.isArray(value)) return value.map((item: unknown) => reordered(item, false));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const sorted = freeKeys
    ? entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
    : entries.toSorted(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(
    sorted.map(([key, item]) => [
      key,
      reordered(item, key === "labels" || key === "annotations" || key === "matchLabels"),
    ]),
  );
};

const isComment = (item: NativeManifest | CommentedResource): item is CommentedResource =>
  "manifest" in item;

const nameOf = ({ metadata }: NativeManifest): string =>
  `${metadata.namespace ?? "default"}/${metadata.name}`;

const compare = (a: CommentedResource, b: CommentedResource): number => {
  const [x, y] = [nameOf(a.manifest), nameOf(b.manifest)];
  return KIND_ORDER[a.manifest.kind] - KIND_ORDER[b.manifest.kind] || (x < y ? -1 : x > y ? 1 : 0);
};

/** Short lists of plain words read better on one line: `ports: [5432/tcp, 53/udp]`. */
const flowShortLists = (document: Document): void => {
  visit(document, {
    Seq(key, node) {
      const words = node.items.every((item) => isScalar(item) && !item.commentBefore);
      const width = node.items.reduce<number>((sum, item) => sum + String(item).length + 2, 0);
      if (words && key !== null && width < 60) node.flow = true;
    },
  });
};

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => ` ${line}`.trimEnd())
    .join("\n");

const place = (document: Document, { path, text }: Comment): void => {
  if (path.length === 0) {
    document.commentBefore = indented(text);
    return;
  }
  const parent = document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && key.value === last)
    : undefined;
  const target = isPair(pair) ? pair.key : isSeq(parent) ? parent.items[Number(last)] : undefined;
  if (!isNode(target)) throw new RangeError(`no node at ${path.join(".")} to comment on`);
  target.commentBefore = indented(text);
  if (isCollection(parent)) parent.flow = false;
};

const printOne = ({ manifest, comments }: CommentedResource): string => {
  const document = new Document(reordered(manifest, false));
  flowShortLists(document);
  for (const comment of comments) place(document, comment);
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
};

/** A YAML text of all resources, one document each. Throws when a comment's path leads nowhere. */
export const printResources = (
  resources: readonly (NativeManifest | CommentedResource)[],
): string =>
  resources
    .map((item) => (isComment(item) ? item : { manifest: item, comments: [] }))
    .toSorted(compare)
    .map(printOne)
    .join("---\n");
