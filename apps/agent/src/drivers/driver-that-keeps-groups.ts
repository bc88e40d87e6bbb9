/** A driver that has control groups of services made before it binds them, and lets go of those that a policy no more needs. */
import type { HostPolicy } from "@bulkhead/model";
import type { KeptGroups } from "./kept-groups.ts";

export function keepingGroups<
  Receipt,
  Driver extends { apply(policy: HostPolicy): Promise<Receipt> },
>(driver: Driver, groups: KeptGroups): Driver {
  let applied: HostPolicy | undefined;
  return {
    ...driver,
    async apply(policy: HostPolicy) {
      groups.keep(policy);
      try {
        const receipt = await driver.apply(policy);
        applied = policy;
        groups.letGo();
        return receipt;
      } catch (error) {
        if (applied !== undefined) {
          groups.keep(applied);
          groups.letGo();
        }
        throw error;
      }
    },
  };
}
