/**
 * Control groups of enforced services, made before systemd starts them: it takes what is there, so that rules know a service from
 * its first packet although nobody watches yet who starts.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CgroupPath, HostPolicy } from "@bulkhead/model";
import { cgroup2Mount } from "../kernel/cgroup2.ts";

/** Those of services only: users' sessions and what runtimes start come under new names. */
export const enforcedServices = ({ processes = [] }: HostPolicy): readonly CgroupPath[] =>
  processes
    .filter(({ mode, cgroup }) => mode === "enforce" && cgroup.endsWith(".service"))
    .map(({ cgroup }) => cgroup);

export function makeControlGroups(policy: HostPolicy, mount = cgroup2Mount()): void {
  if (mount === null) return;
  for (const path of enforcedServices(policy)) mkdirSync(join(mount, path), { recursive: true });
}
