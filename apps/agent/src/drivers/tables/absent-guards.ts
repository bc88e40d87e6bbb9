/**
 * Guards of interfaces that are not there yet: at boot, before any workload is attached, or for one that vanished while its
 * rules were written. Newer kernels bind them by name; where the kernel refuses, they are left out and bound when the interface
 * appears. All other rules judge by address and are in force at once.
 */
import { bindDevices, boundDevices, withoutDevices } from "@bulkhead/datapath";
import type { Ruleset } from "@bulkhead/datapath";
import { DriverError } from "../driver-error.ts";
import type { HostCommands } from "../host-commands.ts";

export interface AbsentGuards {
  /** Has the ruleset written; a second time without the guards of absent interfaces where the kernel refuses those. */
  write(desired: Ruleset, attempt: (ruleset: Ruleset) => Promise<void>): Promise<void>;
  /** What the kernel is to hold now. */
  expected(rendered: Ruleset): Ruleset;
  /** True when an interface has appeared whose guard was left out. Cheap. */
  hasArrivals(): boolean;
  /** Gives those that appeared the guard that they were to have: neither drift nor a change of policy. */
  bindArrivals(rendered: Ruleset, load: (script: string) => Promise<void>): Promise<void>;
}

export const createAbsentGuards = (host: Pick<HostCommands, "interfaces">): AbsentGuards => {
  let away: ReadonlySet<string> = new Set();

  const arrivals = (): ReadonlySet<string> => {
    if (away.size === 0) return away;
    const there = host.interfaces();
    return new Set([...away].filter((device) => there.has(device)));
  };

  return {
    async write(desired, attempt) {
      let absent: ReadonlySet<string> = new Set();
      try {
        await attempt(desired);
      } catch (error) {
        const there = host.interfaces();
        absent = new Set([...boundDevices(desired)].filter((device) => !there.has(device)));
        const refused = error instanceof DriverError && error.reason === "refused";
        if (!refused || absent.size === 0) throw error;
        await attempt(withoutDevices(desired, absent));
      }
      away = absent;
    },
    expected: (rendered) => withoutDevices(rendered, away),
    hasArrivals: () => arrivals().size > 0,
    async bindArrivals(rendered, load) {
      const here = arrivals();
      if (here.size === 0) return;
      await load(bindDevices(rendered, here));
      away = new Set([...away].filter((device) => !here.has(device)));
    },
  };
};
