/**
 * A flow store whose answers are not waited for for ever: a question that gets none fails, so that whoever asks goes on without
 * history. What writes or clears up is not hurried, for to give up waiting would not end it.
 */
import { ApiFailure } from "@bulkhead/api";
import type { FlowStore } from "@bulkhead/store";

export function withPatience(store: FlowStore, patienceMs: number): FlowStore {
  async function patiently<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new ApiFailure("internal", "the flow store does not answer", {
              help: "policies stay in force; `bulkhead status` tells more",
            }),
          ),
        patienceMs,
      );
    });
    try {
      return await Promise.race([answer, silence]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    append: (batches) => store.append(batches),
    lastSequence: (boot) => patiently(store.lastSequence(boot)),
    flows: (filter) => patiently(store.flows(filter)),
    edges: (filter) => patiently(store.edges(filter)),
    async *edgeParts(filter) {
      const parts = store.edgeParts(filter)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const part = await patiently(parts.next());
          if (part.done === true) return;
          yield part.value;
        }
      } finally {
        // Not waited for, and its failure is no news: it may be what gives no answer, and that is told.
        parts.return?.().catch(() => {});
      }
    },
    histories: (filter) => patiently(store.histories(filter)),
    watch: (since, until) => patiently(store.watch(since, until)),
    exportTo: (path, filter, what) => store.exportTo(path, filter, what),
    stats: () => patiently(store.stats()),
    prune: (retention) => store.prune(retention),
    compact: (now) => store.compact(now),
    close: () => store.close(),
  };
}
