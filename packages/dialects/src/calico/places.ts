/** Where in a document something stands that several fields together are wrong about. */
import type { Extent, TreeNode } from "../text/document.ts";

/** The key at the end of the path, or the nearest before it that is there. In a path, a number is a place in a list. */
export const extentAt = (node: TreeNode, ...path: readonly (string | number)[]): Extent => {
  const [step, ...rest] = path;
  if (typeof step === "number" && node.kind === "list") {
    const item = node.items[step];
    return item === undefined ? node : extentAt(item, ...rest);
  }
  if (typeof step !== "string" || node.kind !== "map") return node;
  const entry = node.entries.find(({ key }) => key === step);
  if (entry === undefined) return node.entries[0]?.keyExtent ?? node;
  return rest.length === 0 ? entry.keyExtent : extentAt(entry.value, ...rest);
};
