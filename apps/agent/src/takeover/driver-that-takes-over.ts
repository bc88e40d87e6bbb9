/**
 * A driver that takes the connections of workloads over before it confines them: before the rules are written, so that
 * the kernel need not guess, and once more after, for connections that came up in between. Only when the attached
 * workloads or their modes change, or while some connections are undecided; else a change of policy finds every
 * connection tracked.
 */
import type { HostPolicy } from "@bulkhead/model";
import type { TakeOver } from "./take-over.ts";

export interface Applies<Receipt> {
  apply(policy: HostPolicy): Promise<Receipt>;
}

export function takingOver<Receipt, Driver extends Applies<Receipt>>(
  driver: Driver,
  takeOver: (policy: HostPolicy) => Promise<TakeOver>,
  tell: (found: TakeOver | Error) => void,
  unsettled: () => boolean = () => false,
): Driver & {
  /** As apply, after the kernel was found to hold something else: without our rules it may have stopped tracking. */
  reapply(policy: HostPolicy): Promise<Receipt>;
} {
  let known = "";
  const attempt = async (policy: HostPolicy): Promise<void> => {
    try {
      tell(await takeOver(policy));
    } catch (error) {
      // Confinement must not wait for this: at worst a connection is judged by the wrong end, and denied.
      tell(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const apply = async (policy: HostPolicy): Promise<Receipt> => {
    // A rollout begins to enforce while the modes of endpoints still say otherwise.
    const confined = JSON.stringify([
      policy.canary !== undefined,
      policy.endpoints.map((one) => [one.interface, one.mode]),
      // Units that nobody judges come and go all the time.
      policy.processes?.flatMap(({ workload, mode }) =>
        mode === "observe" ? [] : [workload, mode],
      ),
    ]);
    if (confined === known && !unsettled()) return driver.apply(policy);
    await attempt(policy);
    const receipt = await driver.apply(policy);
    await attempt(policy);
    known = confined;
    return receipt;
  };
  return {
    ...driver,
    apply,
    reapply(policy: HostPolicy) {
      known = "";
      return apply(policy);
    },
  };
}
