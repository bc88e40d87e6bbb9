/** The drivers there are, by name: the one place that knows them all. */
import type { Driver, DriverDeps } from "./driver.ts";
import { createNftablesDriver } from "./nftables/nftables-driver.ts";

export const DRIVERS = { nftables: createNftablesDriver } as const;

export const createDriver = (name: keyof typeof DRIVERS, deps: DriverDeps): Driver =>
  DRIVERS[name](deps);
