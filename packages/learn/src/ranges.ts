/** Which prefixes a person may say: of somebody in particular, never of everybody. */
import { parseCidr, type Cidr } from "@bulkhead/model";
import { WIDEST_PREFIX } from "./generality.ts";

export function readRange(
  text: string,
): { readonly cidr: Cidr } | { readonly error: string; readonly help: string } {
  const parsed = parseCidr(text);
  if (parsed === null) {
    return { error: `\`${text}\` is not a prefix`, help: "write it like 203.0.113.0/24" };
  }
  const length = Number(parsed.cidr.slice(parsed.cidr.lastIndexOf("/") + 1));
  if (length < WIDEST_PREFIX[parsed.range.family]) {
    return {
      error: `\`${text}\` is nearly everybody`,
      help: `no wider than /${WIDEST_PREFIX[parsed.range.family]}: whoever is to be reached has a narrower one`,
    };
  }
  return { cidr: parsed.cidr };
}
