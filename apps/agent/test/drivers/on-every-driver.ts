/** Registers tests of the contract for each driver there is, under its name. None is left out. */
import { describe } from "vitest";
import { DRIVERS_UNDER_TEST } from "./drivers-under-test.ts";
import type { DriverUnderTest } from "./drivers-under-test.ts";

/** What the drivers of one file share, such as a lab, is set up outside; each takes its rules out of it when it is done. */
export const onEveryDriver = (tests: (under: DriverUnderTest) => void): void => {
  describe.each(DRIVERS_UNDER_TEST)("$name", (under) => {
    tests(under);
  });
};
