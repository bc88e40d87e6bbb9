/** On what terms a resource is in force: since when, who answers for it, and when it ends by itself. */
import type { PoliciesAnswer } from "@bulkhead/api";
import type { Resource } from "@bulkhead/dialects";
import type { Revision, StateStore } from "@bulkhead/store";
import type { HeldResource } from "../policy/candidate.ts";

export type Terms = Pick<
  PoliciesAnswer["policies"][number],
  "createdAt" | "changedAt" | "owner" | "expiresAt"
>;

export interface Age {
  /** Since when it has been there without a break. */
  readonly createdAt: number;
  /** Since when it has said what it says, in the mode it is in. */
  readonly changedAt: number;
}

/** `revisions`: newest first. What was taken away and came back is as old as its return. */
export function agesOf(revisions: readonly Revision[]): ReadonlyMap<string, Age> {
  const ages = new Map<string, Age>();
  for (const { time, changes } of revisions.toReversed()) {
    for (const key of changes.removed) ages.delete(key);
    for (const key of [...changes.added, ...changes.changed]) {
      ages.set(key, { createdAt: ages.get(key)?.createdAt ?? time, changedAt: time });
    }
  }
  return ages;
}

/** The log is read again only when it has grown. */
export function createAgeBook(
  state: Pick<StateStore, "revisions">,
): (revision: number) => Promise<ReadonlyMap<string, Age>> {
  let known: { readonly revision: number; readonly ages: ReadonlyMap<string, Age> } | undefined;
  return async (revision) => {
    if (known?.revision !== revision) {
      known = { revision, ages: agesOf(await state.revisions()) };
    }
    return known.ages;
  };
}

export function termsOf({ stored, resource }: HeldResource, ages: ReadonlyMap<string, Age>): Terms {
  return { ...ages.get(stored.key), ...saidBy(resource) };
}

/** Other dialects have no word for either. */
function saidBy(resource: Resource): Pick<Terms, "owner" | "expiresAt"> {
  if (resource.dialect !== "native") return {};
  const { object } = resource;
  switch (object.kind) {
    case "Policy":
    case "Intent":
    case "Exception": {
      const { owner = null, expires } = object.spec;
      return { owner, ...(expires === undefined ? {} : { expiresAt: expires }) };
    }
    case "NetworkSet":
    case "Inventory":
    case "PolicyTest":
      return {};
  }
}
