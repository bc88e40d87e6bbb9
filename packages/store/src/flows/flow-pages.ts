/** All flows of a filter, oldest first, a page at a time: however many there are, few are in memory. */
import type { Flow } from "@bulkhead/model";
import type { FlowFilter, FlowStore } from "./flow-store.ts";

const PAGE = 20_000;

/** Without `limit` and `first`. What comes in meanwhile is told where its time has not passed yet. */
export async function* flowPages(
  store: Pick<FlowStore, "flows">,
  filter: FlowFilter,
  page = PAGE,
): AsyncGenerator<readonly Flow[]> {
  let since = filter.since;
  /** Told already of those that began at `since`. */
  let told = 0;
  for (;;) {
    const first = page + told;
    const found = await store.flows({
      ...filter,
      first,
      ...(since === undefined ? {} : { since }),
    });
    const fresh = found.slice(told);
    if (fresh.length > 0) yield fresh;
    const last = found.at(-1)?.start;
    if (found.length < first || last === undefined) return;
    const alike = found.reduce((count, { start }) => count + (start === last ? 1 : 0), 0);
    since = last;
    told = alike;
  }
}
