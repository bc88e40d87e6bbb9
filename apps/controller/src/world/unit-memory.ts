/**
 * Units that have been here stay known when they end, over restarts: a service that is started again by a timer has its place
 * in the policy before its first packet. What systemd names anew at each start, and containers, are forgotten at once.
 */
import { comesBack } from "@bulkhead/model";
import type { DiscoveredProcess } from "@bulkhead/wire";

/** A unit; `gone`: it does not run now. */
export type KnownProcess = DiscoveredProcess & { readonly gone?: true };

export interface UnitMemory {
  /** Those that are here, and those that were, sorted by control group. */
  recall(here: readonly DiscoveredProcess[]): readonly KnownProcess[];
}

export interface UnitMemoryDeps {
  readonly stored: string | null;
  readonly save: (text: string) => void;
}

type Remembered = Pick<DiscoveredProcess, "cgroup" | "form" | "unit" | "user">;

/** The one that went last goes last. */
const MOST_GONE = 512;

export function createUnitMemory({ stored, save }: UnitMemoryDeps): UnitMemory {
  /** Newest last; those here included, since nobody sees them go while we are away. */
  let known = new Map<string, Remembered>(
    (stored === null ? [] : (JSON.parse(stored) as Remembered[])).map((one) => [one.cgroup, one]),
  );
  let saved = stored;
  return {
    recall(here) {
      const present = new Set(here.map(({ cgroup }) => cgroup));
      const gone = [...known.values()].filter(({ cgroup }) => !present.has(cgroup));
      const kept = gone
        .filter((one) => !here.some(({ cgroup }) => isWithin(cgroup, one.cgroup)))
        .slice(-MOST_GONE);
      const lasting = here.filter(isLasting).map(({ cgroup, form, unit, user }): Remembered => ({
        cgroup,
        form,
        unit,
        ...(user === undefined ? {} : { user }),
      }));
      known = new Map([...kept, ...lasting].map((one) => [one.cgroup, one]));
      const text = JSON.stringify([...known.values()]);
      if (text !== saved) {
        saved = text;
        save(text);
      }
      return [
        ...here,
        ...kept.map((one): KnownProcess => ({ ...one, sockets: [], gone: true })),
      ].toSorted((a, b) => (a.cgroup < b.cgroup ? -1 : 1));
    },
  };
}

/** One lies in the other: what was a slice may be lent to somebody now, and the other way round. */
const isWithin = (a: string, b: string): boolean => a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

function isLasting({ form, unit }: DiscoveredProcess): boolean {
  if (form === "user") return true;
  return form === "service" && comesBack(unit);
}
