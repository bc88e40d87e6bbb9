/**
 * What a policy says about this machine after a restart. Addresses are judged as before; what it knew of attachments (MAC
 * addresses, names and numbers of interfaces) belonged to links that are no more, and guards made of it would cut off those
 * that come instead. They wait until somebody has seen what is attached now. So does the denial of control groups that
 * nobody knows: at boot that is every service, and a machine whose agent does not come up would be one that no
 * administrator reaches any more.
 */
import { readFileSync } from "node:fs";
import type { HostPolicy } from "@bulkhead/model";

export const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

export const ofEarlierBoot = ({
  ports: _ports,
  managed: _managed,
  ...policy
}: HostPolicy): HostPolicy => ({
  ...policy,
  endpoints: policy.endpoints.map((endpoint) => ({ ...endpoint, mode: "observe" })),
});
