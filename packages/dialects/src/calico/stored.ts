/**
 * Resources as Calico's own datastore holds them, `crd.projectcalico.org/v1` (projectcalico/calico
 * `libcalico-go/lib/backend/k8s/resources/resources.go`, `libcalico-go/lib/names/policy.go`): a policy is called after its tier
 * there, and its own name, labels and annotations stand in an annotation. Given back as people wrote them.
 */
import type { objectMeta } from "../kubernetes/metadata.ts";
import type { TreeNode } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";
import { mapped, type Read, type Shape } from "../text/shape.ts";
import { extentAt } from "./places.ts";

const ANNOTATION = "projectcalico.org/metadata";
/** Prefixes of what Calico made of others' policies: they are a part of the name. */
const MADE_OF_OTHERS = ["knp.default.", "ossg."];

interface Stored {
  readonly apiVersion?: string;
  readonly metadata: Read<typeof objectMeta>;
}

const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === "object" &&
  value !== null &&
  Object.values(value).every((one) => typeof one === "string");

/** Undefined: it is no JSON of metadata. */
const told = (text: string) => {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { name, labels } = value as { readonly name?: unknown; readonly labels?: unknown };
    return {
      ...(typeof name === "string" && name !== "" ? { name } : {}),
      ...(isTexts(labels) ? { labels } : {}),
    };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
};

const withoutTier = (name: string): string =>
  MADE_OF_OTHERS.some((prefix) => name.startsWith(prefix)) ? name : name.replace(/^default\./, "");

/** `isTiered`: of policies, whose names begin with their tier. */
export const asWritten = <T extends Stored>(shape: Shape<T>, isTiered: boolean): Shape<T> =>
  mapped(shape, (object: T, node: TreeNode, at: Reader): T | undefined => {
    if (object.apiVersion?.startsWith("crd.") !== true) return object;
    const { metadata } = object;
    const text = metadata.annotations?.[ANNOTATION];
    const found = text === undefined ? {} : told(text);
    if (found === undefined) {
      const place = extentAt(node, "metadata", "annotations", ANNOTATION);
      at.report("BH0441", place, `annotation \`${ANNOTATION}\` does not hold metadata`);
      return undefined;
    }
    const labels = { ...metadata.labels, ...found.labels };
    return {
      ...object,
      metadata: {
        ...metadata,
        name: found.name ?? (isTiered ? withoutTier(metadata.name) : metadata.name),
        ...(Object.keys(labels).length === 0 ? {} : { labels }),
      },
    };
  });
