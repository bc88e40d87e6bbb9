/** From the start of the machine to the start of the agent: what was enforced is in force, or shut. */
export { liftingLockdown } from "./driver-that-lifts.ts";
export { createWall } from "./lockdown.ts";
export { restoreAtBoot } from "./restore-at-boot.ts";
