/** What somebody should look at. Like alarms are counted together; the oldest kinds are forgotten when there are too many. */
import type { Alarm } from "@bulkhead/api";

export interface Alarms {
  raise(kind: Alarm["kind"], message: string): void;
  /** Latest first. */
  list(): Alarm[];
}

const MAX_ALARMS = 200;

export function createAlarms(now: () => number): Alarms {
  const alarms = new Map<string, Alarm>();
  return {
    raise(kind, message) {
      const key = `${kind} ${message}`;
      const count = (alarms.get(key)?.count ?? 0) + 1;
      alarms.delete(key);
      alarms.set(key, { at: now(), kind, message, count });
      if (alarms.size > MAX_ALARMS) {
        const [oldest] = alarms.keys();
        if (oldest !== undefined) alarms.delete(oldest);
      }
    },
    list: () => [...alarms.values()].toReversed(),
  };
}
