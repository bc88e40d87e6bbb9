/**
 * Which control groups exist, of those that a policy names: paths and the kernel's numbers, as the datapath binds them. nft reads
 * paths below /sys/fs/cgroup only, where the hierarchy of version 2 is, or, on hybrid systems, a folder of its own.
 */
import { readdirSync } from "node:fs";
import { hasProcesses, judgesProcesses, namedCgroups } from "@bulkhead/datapath";
import type { Bindings } from "@bulkhead/datapath";
import type { CgroupPath, HostPolicy } from "@bulkhead/model";
import { cgroup2Mount, cgroupNumber } from "../kernel/cgroup2.ts";
import { DriverError } from "./driver-error.ts";

const ROOT = "/sys/fs/cgroup";

export interface ControlGroups {
  /** Throws `DriverError` when the policy judges processes and this machine cannot tell them apart. */
  check(policy: HostPolicy): void;
  /** A few microseconds for each control group that the policy names. */
  look(policy: HostPolicy): Bindings;
  /** May a listing hold numbers of control groups? */
  readonly exist: boolean;
}

const NOBODY: Bindings = { numbers: new Map(), firstLevel: new Map(), prefix: "" };

/** `mount`: where the hierarchy of version 2 is, null without one. */
export const createControlGroups = (mount: string | null = cgroup2Mount()): ControlGroups => {
  const isBelow = mount === ROOT || mount?.startsWith(`${ROOT}/`) === true;
  const prefix = isBelow && mount !== ROOT ? `${mount?.slice(ROOT.length + 1)}/` : "";

  const numbersOf = (paths: readonly CgroupPath[]): Map<CgroupPath, string> => {
    const found = new Map<CgroupPath, string>();
    if (mount === null) return found;
    for (const path of paths) {
      const number = cgroupNumber(mount, path);
      if (number !== undefined) found.set(path, `${number}`);
    }
    return found;
  };

  const firstLevel = (): CgroupPath[] =>
    mount === null
      ? []
      : readdirSync(mount, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => `/${name}`);

  return {
    exist: isBelow,
    check(policy) {
      if (isBelow || !judgesProcesses(policy)) return;
      throw new DriverError(
        "unsupported",
        mount === null
          ? "processes of this machine can be told apart by control groups of version 2 only, and it has none"
          : `nft finds control groups below ${ROOT} only, and this machine has them at ${mount}`,
      );
    },
    look(policy) {
      if (!isBelow || !hasProcesses(policy)) return NOBODY;
      const isManaged = (policy.managed ?? []).length > 0;
      return {
        numbers: numbersOf(namedCgroups(policy)),
        firstLevel: isManaged ? numbersOf(firstLevel()) : new Map(),
        prefix,
      };
    },
  };
};
