/**
 * How a rollout's share of flows is told apart: rules that hash a connection's original direction (`spec/canary-bucket.md`)
 * and lead those that take part to look-ups of their own. nft 1.0.6 knows the size of `ct original proto-dst` only
 * after a match on the packet's own protocol, hence one rule a protocol, and one for protocols without ports.
 */
import { BUCKET_PORTS, CANARY_BUCKETS, ICMP, ICMPV6 } from "@bulkhead/model";
import type { Canary } from "@bulkhead/model";
import type { FamilyWords } from "./family.ts";

/** The destination as it was addressed: before translation. */
const ADDRESSED = { 4: "ct original ip daddr", 6: "ct original ip6 daddr" } as const;

const WITH_PORTS = `{ ${BUCKET_PORTS.toSorted((a, b) => a - b).join(", ")} }`;

/** Rules that end in `goto target` for flows of one family that take part; all others go on. */
export const canaryRules = (
  { seed, share }: Canary,
  { family, source }: FamilyWords,
  target: string,
): readonly string[] => {
  const rule = (match: string, port: string): string =>
    `${match} jhash ${source} . ${ADDRESSED[family]} . ct protocol${port} mod ${CANARY_BUCKETS} seed 0x${seed.toString(16)} < ${share} goto ${target}`;
  return [
    ...BUCKET_PORTS.map((protocol) => {
      // An error about a connection goes with it, and that connection may be of a protocol without ports.
      const about = protocol === ICMP || protocol === ICMPV6 ? ` ct protocol ${WITH_PORTS}` : "";
      return rule(`meta l4proto ${protocol}${about}`, " . ct original proto-dst");
    }),
    rule(`ct protocol != ${WITH_PORTS}`, ""),
  ];
};

const RULE = new RegExp(` mod ${CANARY_BUCKETS} seed 0x([0-9a-f]{1,8}) < (\\d{1,4}) goto \\w+$`);

/** Seed and share as one of these rules says them; null when it is none. */
export const readCanaryRule = (rule: string): Canary | null => {
  const parts = RULE.exec(rule);
  if (parts === null) return null;
  return { seed: Number.parseInt(parts[1] as string, 16), share: Number(parts[2]) };
};
