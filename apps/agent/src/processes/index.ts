/** Who holds the sockets at the ends of flows. */
export {
  createProcessFinder,
  type FinderLimits,
  type LocalAddresses,
  type ProcessFinder,
} from "./process-finder.ts";
