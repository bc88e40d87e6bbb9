/** Registers tests of the contract for each driver there is, under its name. None is left out. */
import { describe } from "vitest";
import { DRIVERS_UNDER_TEST } from "./drivers-under-test.ts";
import type { DriverUnderTest } from "./drivers-under-test.ts";

/**
 * What the drivers of one file share, such as a lab, is set up outside; each takes its rules out of it when it is done. `drivers` is for
 * tests of what is no part of the contract.
 */
export const onEveryDriver = (
  tests: (under: DriverUnderTest) => void,
  drivers: readonly DriverUnderTest[] = DRIVERS_UNDER_TEST,
): void => {
  describe.each(drivers)("$name", (under) => {
    tests(under);
  });
};
