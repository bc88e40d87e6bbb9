/** Kernel drivers: each makes the kernel hold a HostPolicy and proves it by reading back. */
export { DriverError } from "./driver-error.ts";
export type { DriverErrorReason } from "./driver-error.ts";
export { keepingGroups } from "./driver-that-keeps-groups.ts";
export { createKeptGroups, keptGroups } from "./kept-groups.ts";
export { createNftablesDriver, digestOf } from "./nftables-driver.ts";
export type {
  NftablesDriver,
  NftablesDriverDeps,
  ReadBackResult,
  UnsignedReceipt,
} from "./nftables-driver.ts";
