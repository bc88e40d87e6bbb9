/**
 * What a change means for one that still waits to be confirmed. Its way back must not be lost by the way: only going
 * back, or a person who insists and says why, ends the waiting other than `confirm` does.
 */
import { ApiFailure } from "@bulkhead/api";
import type { PendingConfirm } from "@bulkhead/store";
import type { Change } from "./change.ts";

export interface Settlement {
  readonly settles?: "confirmed" | "reverted";
  readonly notices: readonly string[];
}

/** Throws ApiFailure `busy` when the change has to wait for the answer. */
export function settlementOf(
  change: Pick<Change, "kind" | "restores" | "force" | "reason" | "dryRun" | "confirmSeconds">,
  pending: PendingConfirm | null,
): Settlement {
  if (pending === null || change.dryRun) return { notices: [] };
  const { revision, revertsTo, deadline } = pending;
  if (change.kind === "rollback" && change.restores === revertsTo) {
    if (change.confirmSeconds === undefined) return { settles: "reverted", notices: [] };
    // Unconfirmed in its turn it would bring back, for good, what nobody confirmed.
    throw new ApiFailure(
      "bad-request",
      `revision ${revision} is not confirmed, so going back from it cannot wait for confirmation: nothing was changed`,
      { help: "`bulkhead rollback` without `--confirm` goes back" },
    );
  }
  if (change.force && change.reason !== "") {
    const away = change.kind === "rollback" && change.restores !== revision;
    return away
      ? { settles: "reverted", notices: [`forced: revision ${revision} counts as reverted`] }
      : { settles: "confirmed", notices: [`forced: revision ${revision} counts as confirmed`] };
  }
  const until = new Date(deadline).toISOString();
  throw new ApiFailure(
    "busy",
    `revision ${revision} waits for confirmation until ${until}: nothing was changed`,
    {
      help: `\`bulkhead confirm\` keeps it, \`bulkhead rollback\` goes back to revision ${revertsTo}`,
    },
  );
}
