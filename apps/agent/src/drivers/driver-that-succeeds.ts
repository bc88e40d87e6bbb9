/**
 * A driver that takes the place of another without a gap: both are in force until the new one is known to hold the policy, and each
 * packet needs the leave of both; then the old one goes. That is no event but a state, read from the kernel: whoever is killed in
 * between finds it at the next start, and goes on from there.
 *
 *   old in force ──► new applies ──► new reads back as wanted ──► old is removed
 *        ▲                 │                    │
 *        └─── old stays ◄──┴──── not so ◄───────┘
 */
import type { HostPolicy } from "@bulkhead/model";
import { DriverError } from "./driver-error.ts";
import type { Driver } from "./driver.ts";

/** `others`: every other driver that could have been here before. `onProblem`: one of them could not be removed, and is again at the next change. */
export function succeeding(
  driver: Driver,
  others: readonly Driver[],
  onProblem: (error: Error) => void,
): Driver {
  let unlooked = others;

  const inForce = async (some: readonly Driver[]): Promise<readonly Driver[]> => {
    const found: Driver[] = [];
    for (const one of some) if (await one.isInForce()) found.push(one);
    return found;
  };

  async function apply(policy: HostPolicy) {
    const predecessors = await inForce(unlooked);
    for (const one of predecessors) {
      const before = await one.settingsBefore();
      if (before !== null) driver.inherit(before);
    }
    const receipt = await driver.apply(policy);
    if (predecessors.length > 0) {
      const { digest, desiredDigest, differences } = await driver.readBack();
      if (digest !== desiredDigest) {
        await driver.remove({ settings: "kept" });
        throw new DriverError(
          "refused",
          `the ${driver.name} rules do not read back as they should; those before them stay`,
          differences,
        );
      }
    }
    const left: Driver[] = [];
    for (const one of predecessors) {
      try {
        await one.remove({ settings: "kept" });
      } catch (error) {
        left.push(one);
        onProblem(error instanceof Error ? error : new Error(String(error)));
      }
    }
    unlooked = left;
    return receipt;
  }

  return {
    ...driver,
    apply,
    isInForce: async () => (await inForce([driver, ...others])).length > 0,
    async remove(options) {
      for (const one of await inForce(others)) await one.remove(options);
      await driver.remove(options);
    },
  };
}
