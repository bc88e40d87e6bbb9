/**
 * The datapath in four words: render a HostPolicy, take the difference of two, read one back, and name what differs.
 * Text only; who runs nft is the agent's business.
 */
import type { HostPolicy } from "@bulkhead/model";
import { parseListing } from "./parse-listing.ts";
import type { Links } from "./parse-listing.ts";
import { printRuleset } from "./print.ts";
import { readRuleset } from "./read-back.ts";
import type { ReadBack } from "./read-back.ts";
import { renderRuleset } from "./render.ts";
import { TABLE_FAMILIES } from "./ruleset.ts";
import type { Ruleset } from "./ruleset.ts";
import { planUpdate } from "./update.ts";
import type { Update } from "./update.ts";

export interface RenderOptions {
  /** Wall clock, milliseconds since the epoch: deadlines become timeouts relative to it. */
  readonly now: number;
  /** Ownership marker of the tables (`formatMarker`). */
  readonly comment: string;
}

/** The whole ruleset as text that `nft -f` loads into a machine without our tables. */
export const renderNft = (policy: HostPolicy, { now, comment }: RenderOptions): string =>
  printRuleset(renderRuleset(policy, comment), now);

/** The steps from what is known to be there to what is wanted; empty when they are the same. */
export const diffNft = (
  actual: HostPolicy | null,
  desired: HostPolicy,
  { now, comment }: RenderOptions,
): Update =>
  planUpdate(
    actual === null ? {} : renderRuleset(actual, comment),
    renderRuleset(desired, comment),
    now,
  );

/** Listings of `nft -p -y list table … bulkhead`; a missing table's listing is the empty string. */
export interface Listings {
  readonly inet: string;
  readonly netdev: string;
  readonly bridge: string;
}

/** `links`: the interfaces there are. */
export const parseListings = (listings: Listings, readAt: number, links?: Links): Ruleset =>
  Object.fromEntries(
    TABLE_FAMILIES.flatMap((family) => {
      const table = parseListing(listings[family], readAt, links);
      return table === null ? [] : [[family, table] as const];
    }),
  );

/** What the kernel holds, as a policy, and how it differs from `desired` (the policy applied last, if known). */
export const readNft = (listings: Listings, desired: HostPolicy | null, readAt: number): ReadBack =>
  readRuleset(parseListings(listings, readAt), desired, readAt);
