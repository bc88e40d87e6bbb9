/**
 * Rollouts: which resources are in force for a share of flows only, and what an apply makes of that. One rollout runs at a
 * time. Its seed is drawn when it begins and stays until nothing belongs to it any more, so that the flows of a smaller
 * share are among those of a larger one.
 */
import { randomInt } from "node:crypto";
import { ApiFailure } from "@bulkhead/api";
import { resourceName, type Resource } from "@bulkhead/dialects";
import { CANARY_BUCKETS, formatShare, type Canary } from "@bulkhead/model";
import type { HeldResource } from "./candidate.ts";

export interface Rollout {
  readonly canary: Canary;
  readonly keys: ReadonlySet<string>;
}

/** Null when everything that is enforced is enforced for all flows. */
export function rolloutOf(held: readonly Pick<HeldResource, "stored">[]): Rollout | null {
  const part = held.filter(({ stored }) => stored.canary !== undefined);
  const canary = part[0]?.stored.canary;
  return canary === undefined
    ? null
    : { canary, keys: new Set(part.map(({ stored }) => stored.key)) };
}

export function sameCanary(a: Canary | undefined, b: Canary | undefined): boolean {
  return a?.seed === b?.seed && a?.share === b?.share;
}

/** What cannot deny is never rolled out: who is there, names of networks, tests. */
export function isRolledOut(resource: Resource): boolean {
  if (resource.dialect === "kubernetes") return resource.role === "policy";
  return !["Inventory", "NetworkSet", "PolicyTest"].includes(resourceName(resource).kind);
}

/** Undefined: for all flows. Throws ApiFailure `bad-request` where a share makes no sense. */
export function canaryOf(
  { mode, canary: share }: { readonly mode: "audit" | "enforce"; readonly canary?: number },
  held: readonly HeldResource[],
): Canary | undefined {
  if (share === undefined) return undefined;
  if (mode !== "enforce") {
    throw new ApiFailure("bad-request", "a share of flows is for what is enforced", {
      help: "add `--mode enforce`; audit drops nothing in any case",
    });
  }
  if (share === CANARY_BUCKETS) return undefined;
  const seed = rolloutOf(held)?.canary.seed ?? randomInt(1, 2 ** 32);
  return { seed, share };
}

/**
 * What would be opened: enforced for all flows now, and to be changed for a share of them only. Throws ApiFailure
 * `bad-request` unless it is forced, with a reason; then it says so.
 */
export function openedBy(
  before: readonly HeldResource[],
  after: readonly HeldResource[],
  { force, reason }: { readonly force: boolean; readonly reason: string },
): readonly string[] {
  const settled = new Set(
    before
      .filter(({ stored, resource }) => isSettled(stored) && isRolledOut(resource))
      .map(({ stored }) => stored.key),
  );
  const opened = after.filter(({ stored }) => stored.canary && settled.has(stored.key));
  const share = opened[0]?.stored.canary?.share;
  if (share === undefined) return [];
  const names = opened.map(({ stored }) => `\`${stored.key}\``).join(", ");
  const rest = formatShare(CANARY_BUCKETS - share);
  const what = `${names} ${opened.length === 1 ? "is" : "are"} enforced for all flows, and would only audit ${rest} of them`;
  if (force && reason !== "") return [`forced: ${what}`];
  throw new ApiFailure("bad-request", `${what}: nothing was changed`, {
    help: 'apply the change without `--canary`, give what is new a resource of its own, or, if it is meant, `--force --reason "…"`',
  });
}

/** A share was asked for, and there is nothing that it could hold for: it takes nothing back from all flows. */
export function unusedShare(
  canary: Canary | undefined,
  after: readonly Pick<HeldResource, "stored">[],
): readonly string[] {
  if (canary === undefined || rolloutOf(after) !== null) return [];
  return [
    `a share of ${formatShare(canary.share)} changes nothing: whatever in these files can deny is enforced for all flows already`,
  ];
}

/** What else moves with the share, and what stays in force for all although a share was asked for. */
export function rolloutNotices(
  before: readonly HeldResource[],
  after: readonly HeldResource[],
): readonly string[] {
  const [was, is] = [rolloutOf(before), rolloutOf(after)];
  if (is === null) return [];
  const share = formatShare(is.canary.share);
  const settled = after.filter(
    ({ stored, resource }) => isSettled(stored) && isRolledOut(resource),
  );
  return [
    `${names([...is.keys])} ${is.keys.size === 1 ? "holds" : "hold"} for ${share} of flows; all others are only audited`,
    ...(was !== null && was.canary.seed !== is.canary.seed
      ? ["the share is drawn anew: other flows take part than did before"]
      : []),
    ...(settled.length > 0
      ? [
          `${names(settled.map(({ stored }) => stored.key))} ${settled.length === 1 ? "stays" : "stay"} in force for all flows`,
        ]
      : []),
  ];
}

const NAMED = 4;

function names(keys: readonly string[]): string {
  const rest = keys.length - NAMED;
  const shown = keys.slice(0, NAMED).map((key) => `\`${key}\``);
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ");
}

/** As the API shows a rollout; nothing while there is none. */
export function canaryView(held: readonly Pick<HeldResource, "stored">[]): {
  readonly canary?: { readonly share: number; readonly resources: string[] };
} {
  const rollout = rolloutOf(held);
  if (rollout === null) return {};
  return { canary: { share: rollout.canary.share, resources: [...rollout.keys] } };
}

export function isSettled({ mode, canary }: HeldResource["stored"]): boolean {
  return mode === "enforce" && canary === undefined;
}

/** A rollout has one share: what these files do not hold moves with what they hold. */
export function alongWith(kept: HeldResource, canary: Canary | undefined): HeldResource {
  if (canary === undefined || kept.stored.canary === undefined) return kept;
  if (sameCanary(kept.stored.canary, canary)) return kept;
  return { ...kept, stored: { ...kept.stored, canary } };
}
