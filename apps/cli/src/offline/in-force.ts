/** What is in force on this machine, as files: the texts that were applied, and everybody who is there in place of Inventories. */
import type { PolicyFileInput } from "@bulkhead/api";
import { inventoryExport } from "@bulkhead/workbench";
import { parseAllDocuments } from "yaml";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";

export const EVERYBODY_FILE = "(everybody here)";

export async function filesInForce(context: Context): Promise<readonly PolicyFileInput[]> {
  const client = await context.client();
  const { current, revisions } = await client.call("history", {});
  if (revisions.length === 0) {
    throw badInput("no policy is in force here", "name a folder: bulkhead check policies/");
  }
  const [{ texts }, seen, { profile }] = await Promise.all([
    client.call("revision", { revision: current }),
    client.call("workloads", { running: "true" }),
    client.call("status", {}),
  ]);
  const everybody = inventoryExport({ ...seen, namespaces: seen.namespaces ?? [], profile });
  return [
    ...texts.map(({ name, text }) => ({ name, text: withoutInventories(text) })),
    { name: EVERYBODY_FILE, text: everybody },
  ];
}

/** Blanks, so that every other line stays where it is. */
function withoutInventories(text: string): string {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  if (!Array.isArray(documents)) return text;
  return documents.reduce((left, document) => {
    if (
      !("get" in document) ||
      document.get("kind") !== "Inventory" ||
      document.contents === null
    ) {
      return left;
    }
    const [start, , end] = document.contents.range;
    return (
      left.slice(0, start) + left.slice(start, end).replaceAll(/[^\r\n]/g, " ") + left.slice(end)
    );
  }, text);
}
