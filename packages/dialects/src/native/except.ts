/** `except` takes addresses out of its own prefix; one that lies outside is a mistake that would pass unseen. */
import { cidrRange, rangeCovers, type Cidr } from "@bulkhead/model";
import type { Extent } from "../text/document.ts";
import type { Reader } from "../text/reader.ts";

/** Reports every exception that is not a true part of the prefix; true when there was one. */
export const outsideExcept = (
  cidr: Cidr,
  except: readonly Cidr[],
  extent: Extent,
  at: Reader,
): boolean => {
  const whole = cidrRange(cidr);
  let found = false;
  for (const part of except) {
    if (part !== cidr && rangeCovers(whole, cidrRange(part))) continue;
    found = true;
    at.report(
      "BH0208",
      extent,
      part === cidr
        ? `\`except\` takes out all of \`${cidr}\``
        : `\`${part}\` is not inside \`${cidr}\``,
    );
  }
  return found;
};
