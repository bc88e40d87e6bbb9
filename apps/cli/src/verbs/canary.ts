/** Shares of a rollout as people type them, and the step that usually comes next. */
import { CANARY_BUCKETS, formatShare, parseShare } from "@bulkhead/model";
import { badInput } from "../failure.ts";

/** `--canary`: how many of 10,000 flows; with its sign, for 10 is not 10 % to everybody. */
export function parseCanary(text: string): number {
  const share = parseShare(text);
  if (share !== null) return share;
  const bare = /^\d+(\.\d+)?$/.test(text) ? parseShare(`${text}%`) : null;
  throw badInput(
    `\`--canary ${text}\` is not a share of flows`,
    bare === null
      ? "write it like 10% or 0.5%: above 0%, at most 100%, in steps of 0.01%"
      : `write ${text}% for ${formatShare(bare)} of all flows`,
  );
}

const STEPS = [100, 1000, 5000] as const;

/** The usual steps of a rollout: 1 %, 10 %, 50 %, all. */
export function nextShare(share: number): string {
  return formatShare(STEPS.find((step) => step > share) ?? CANARY_BUCKETS);
}
