/**
 * Keeps the kernel's numbers of control groups in step with the groups there are. A policy names paths; what is loaded and what is
 * expected holds the numbers of those that exist, as they were when the kernel was last told. Units come and go while it is told,
 * so each time they are looked at again.
 */
import {
  bindProcesses,
  commonBindings,
  hasProcesses,
  rebindProcesses,
  sameBindings,
} from "@bulkhead/datapath";
import type { Bindings, Ruleset, Versions } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import type { ControlGroups } from "../control-groups.ts";
import { isRefused } from "../driver-error.ts";

/** So often a change is tried that the kernel refuses because what it names has gone meanwhile. */
export const ATTEMPTS = 5;

export interface BoundProcesses {
  /** Odd while the kernel is being told. */
  readonly round: number;
  /**
   * A rendered ruleset for the control groups there are; `told` once the kernel holds it. `calm`: only for those that were there
   * at the last look, too. Whoever starts over and over, named by a path that has gone by then, must not have all refused.
   */
  desired(
    rendered: Ruleset,
    policy: HostPolicy,
    calm?: boolean,
  ): { readonly ruleset: Ruleset; told(): void };
  /** What the kernel should hold, by what it was told. */
  expected(rendered: Ruleset): Ruleset;
  /** A group has come or gone since. A few microseconds for each that the policy names. */
  isBehind(policy: HostPolicy): boolean;
  /** Tells the kernel; true when there was anything to tell. `versions`: under which names it holds look-ups now. */
  bind(
    policy: HostPolicy,
    rendered: Ruleset,
    versions: Versions,
    load: (script: string) => Promise<void>,
    now: () => number,
  ): Promise<boolean>;
}

export const createBoundProcesses = (groups: ControlGroups): BoundProcesses => {
  let bound: Bindings = { numbers: new Map(), firstLevel: new Map(), prefix: "" };
  let looked = bound;
  let round = 0;
  const look = (policy: HostPolicy, calm: boolean): Bindings => {
    const before = looked;
    looked = groups.look(policy);
    return calm ? commonBindings(looked, before) : looked;
  };
  return {
    get round() {
      return round;
    },
    desired(rendered, policy, calm = false) {
      const there = look(policy, calm);
      return {
        ruleset: bindProcesses(rendered, there),
        told: () => {
          bound = there;
        },
      };
    },
    expected: (rendered) => bindProcesses(rendered, bound),
    isBehind: (policy) => hasProcesses(policy) && !sameBindings(bound, groups.look(policy)),
    async bind(policy, rendered, versions, load, now) {
      if (!hasProcesses(policy)) return false;
      for (let attempt = 1; ; attempt += 1) {
        const there = look(policy, attempt > 2);
        if (sameBindings(bound, there)) return attempt > 1;
        if (attempt > ATTEMPTS) return true;
        round += 1;
        try {
          await load(rebindProcesses(rendered, versions, bound, there, now()));
          bound = there;
        } catch (error) {
          if (attempt === ATTEMPTS || !isRefused(error)) throw error;
        } finally {
          round += 1;
        }
      }
    },
  };
};
