/** Does one policy set permit everything that another does, whatever requests travel and whatever names addresses have? */
import type { FlowQuery } from "@bulkhead/model";
import { decide } from "../decide.ts";
import type { DecideOptions } from "../judge-stage.ts";
import { circumstancesOf, flowsUnder, isMet, under } from "./circumstances.ts";
import { findDifference, type Side } from "./difference.ts";
import type { Hop } from "./packet.ts";

export type Inclusion =
  | { readonly kind: "included" }
  /** `one` permits this, with the request and names that the packet tells, and `other` does not. */
  | { readonly kind: "excess"; readonly hop: Hop }
  /**
   * It depends on requests or names that could not be settled: `hop` shows where they differ if such a request exists; null:
   * there are too many combinations to try them all.
   */
  | { readonly kind: "undecided"; readonly hop: Hop | null };

/** More combinations are not tried: each is a comparison of its own. */
const MOST = 512;

/** Does `other` permit everything that `one` permits? Conditions of `findDifference` hold. */
export function includes(one: Side, other: Side, options: DecideOptions): Inclusion {
  const sets = [one.set, other.set];
  const combinations = circumstancesOf(sets, MOST);
  if (combinations === null) return { kind: "undecided", hop: null };
  let unsettled: Hop | null = null;
  for (const circumstances of combinations) {
    const [here, there] = [one, other].map(({ set, index }) => ({
      set: under(set, circumstances),
      index,
    }));
    const hop = findDifference(here!, there!, options);
    if (hop === null) continue;
    const allows = ({ set, index }: Side, packet: FlowQuery): boolean => {
      const { verdict, egress, ingress } = decide(set, index, packet, options);
      const open = [...(egress.obligations ?? []), ...(ingress.obligations ?? [])];
      return verdict === "allow" && open.every((one) => isMet(one, circumstances));
    };
    for (const packet of flowsUnder(hop.packet, sets, circumstances)) {
      if (allows(one, packet) && !allows(other, packet)) {
        return { kind: "excess", hop: { ...hop, packet } };
      }
    }
    unsettled ??= hop;
  }
  return unsettled === null ? { kind: "included" } : { kind: "undecided", hop: unsettled };
}
