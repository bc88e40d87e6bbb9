/** The drivers there are, by name: the one place that knows them all. */
import type { Driver, DriverDeps } from "./driver.ts";
import { succeeding } from "./driver-that-succeeds.ts";
import { createNftablesDriver } from "./nftables/nftables-driver.ts";

export const DRIVERS = { nftables: createNftablesDriver } as const;

export const createDriver = (name: keyof typeof DRIVERS, deps: DriverDeps): Driver =>
  DRIVERS[name](deps);

/** The driver of this name, in the place of whichever was here before. */
export const createSuccession = (
  name: keyof typeof DRIVERS,
  deps: DriverDeps,
  onProblem: (error: Error) => void,
): Driver => {
  const others = Object.entries(DRIVERS).filter(([other]) => other !== name);
  return succeeding(
    createDriver(name, deps),
    others.map(([, create]) => create(deps)),
    onProblem,
  );
};
