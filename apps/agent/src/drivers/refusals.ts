/** What every driver refuses before it touches anything: a policy that is not sound, and one that does not fit. */
import { checkHostPolicy } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import { DriverError } from "./driver-error.ts";
import type { Capacity } from "./driver.ts";

export const requireSound = (policy: HostPolicy): void => {
  const problems = checkHostPolicy(policy);
  if (problems.length > 0)
    throw new DriverError("invalid-policy", "the compiled policy is not sound", problems);
};

export const requireFit = ({ problems }: Capacity): void => {
  if (problems.length > 0)
    throw new DriverError("does-not-fit", "the policy does not fit; the old one stays", problems);
};
