/**
 * Reads configuration in a process of its own, one owner after the other, and tells of each when it is read. What lies on a file
 * system whose server is a user's program, or is away, may never answer: then this process waits, and is ended.
 */
import { readConfiguration, type ConfiguredOwner } from "./configuration.ts";
import type { ConfigurationSource, FoundDependency } from "@bulkhead/wire";

export interface ReadOrder {
  readonly owners: readonly ConfiguredOwner[];
  readonly sources: readonly ConfigurationSource[];
  readonly proc: string;
}

export type ReadMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "read"; readonly found: readonly FoundDependency[] }
  | { readonly kind: "failed"; readonly why: string };

process.on("disconnect", () => process.exit(0));
process.once("message", (order: ReadOrder) => void work(order));

async function work({ owners, sources, proc }: ReadOrder): Promise<void> {
  await tell({ kind: "ready" });
  for (const owner of owners) await tell(messageFor(owner, sources, proc));
  process.disconnect();
}

function messageFor(
  owner: ConfiguredOwner,
  sources: readonly ConfigurationSource[],
  proc: string,
): ReadMessage {
  try {
    return { kind: "read", found: readConfiguration([owner], sources, proc) };
  } catch (error) {
    // By its code alone: what it says may hold a path.
    const code = error instanceof Error && "code" in error ? String(error.code) : "an error";
    return { kind: "failed", why: code };
  }
}

/** Only once it is on its way: the next file may hold us up for ever. */
function tell(message: ReadMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
