/** Peers by prefixes and prefixes taken out of them, as dialects write them that keep the two in lists of their own. */
import { cidrCovers, type Cidr, type Peer } from "@bulkhead/model";

/** What a list of exceptions alone is taken from. */
export const EVERYWHERE: readonly Cidr[] = ["0.0.0.0/0", "::/0"];

/** `cidrs` without what lies in `except`, workloads there included. */
export function prefixPeers(cidrs: readonly Cidr[], except: readonly Cidr[]): Peer[] {
  return cidrs
    .filter((one) => !except.some((other) => cidrCovers(other, one)))
    .map((cidr) => ({
      kind: "cidr",
      cidr,
      except: except.filter((other) => cidrCovers(cidr, other)),
      matchesWorkloads: true,
    }));
}
