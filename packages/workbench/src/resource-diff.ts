/** Which resources a change adds, changes and removes. Compared by what they say, not by where they stand. */
import { formatResourceName, resourceName, type Resource } from "@bulkhead/dialects";

export interface ResourceDiff {
  /** `Policy/shop/db`, sorted. */
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly unchanged: readonly string[];
}

export function diffResources(
  before: readonly Resource[],
  after: readonly Resource[],
): ResourceDiff {
  const old = byName(before);
  const fresh = byName(after);
  const names = [...fresh.keys()].toSorted();
  const kept = names.filter((name) => old.has(name));
  return {
    added: names.filter((name) => !old.has(name)),
    changed: kept.filter((name) => old.get(name) !== fresh.get(name)),
    removed: [...old.keys()].filter((name) => !fresh.has(name)).toSorted(),
    unchanged: kept.filter((name) => old.get(name) === fresh.get(name)),
  };
}

function byName(resources: readonly Resource[]): ReadonlyMap<string, string> {
  return new Map(
    resources.map((resource) => [formatResourceName(resourceName(resource)), says(resource)]),
  );
}

/** What a resource says, without the places where it says it. */
function says(resource: Resource): string {
  return JSON.stringify(resource, (key, value: unknown) =>
    key === "source" || key === "span" ? undefined : value,
  );
}
