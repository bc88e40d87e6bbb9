/** Discovery of workloads by their attachment to this machine's network: once, or kept current. */
export {
  discover,
  type DiscoveredEndpoint,
  type DiscoverOptions,
  type Discovery,
} from "./discover.ts";
export { watchEndpoints, type Watch, type WatchOptions } from "./watch.ts";
export { createUsers } from "./units/users.ts";
export { createUnitScout, type UnitScout, type Units } from "./units/unit-scout.ts";
export { isGone, whileItIsThere } from "./units/vanishing.ts";
