/** The name of the store that a flow is from, on each line that is written: read back into that store, the line is known by it. */
import type { ApiClient } from "@bulkhead/api";
import type { Flow } from "@bulkhead/model";

export type MarkedFlow = Flow & { readonly store?: string };

/** Asks once. A controller of an earlier version does not tell, and lines bear nothing. */
export async function storeMark(
  client: Pick<ApiClient, "call">,
  signal: AbortSignal,
): Promise<(flow: Flow) => MarkedFlow> {
  const { store } = (await client.call("status", {}, { signal })).flows;
  return (flow) => (store === undefined ? flow : { ...flow, store });
}
