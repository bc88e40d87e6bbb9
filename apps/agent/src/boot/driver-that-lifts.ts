/** A driver that takes a lockdown of the boot away, once a policy is in force that makes it needless. */
import type { HostPolicy } from "@bulkhead/model";
import type { Wall } from "./lockdown.ts";

export function liftingLockdown<
  Receipt,
  Driver extends { apply(policy: HostPolicy): Promise<Receipt> },
>(driver: Driver, wall: Pick<Wall, "lift">, onProblem: (error: Error) => void): Driver {
  let lifted = false;
  return {
    ...driver,
    async apply(policy: HostPolicy) {
      const receipt = await driver.apply(policy);
      if (lifted) return receipt;
      try {
        await wall.lift();
        lifted = true;
      } catch (error) {
        // The policy is in force all the same; the next one tries again.
        onProblem(error instanceof Error ? error : new Error(String(error)));
      }
      return receipt;
    },
  };
}
