/** Kernel drivers: each makes the kernel hold a HostPolicy and proves it by reading back. */
export { DRIVERS, createDriver, createSuccession } from "./create-driver.ts";
export { DriverError } from "./driver-error.ts";
export type { DriverErrorReason } from "./driver-error.ts";
export { keepingGroups } from "./driver-that-keeps-groups.ts";
export type {
  Capacity,
  Driver,
  DriverDeps,
  ReadBackResult,
  SettingsBefore,
  UnsignedReceipt,
} from "./driver.ts";
export { createKeptGroups, keptGroups } from "./kept-groups.ts";
export { digestOf } from "./policy-digest.ts";
