/**
 * Reads the kernel's counters now and then, so that what no log message tells of is told all the same, and that it is known
 * when a rule was last hit: the kernel keeps numbers, and no times.
 */
import type { CounterReading } from "@bulkhead/datapath";
import type { RuleCounter } from "@bulkhead/wire";

export interface CounterWatch {
  /** Packets by name, as of the last reading, of what stands for no rule: few, whatever the policy. */
  latest(): Readonly<Record<string, number>>;
  /** How often each decision was taken, read now. */
  rules(): Promise<readonly RuleCounter[]>;
  stop(): void;
}

const EVERY_MS = 10_000;

interface Seen {
  readonly packets: number;
  readonly lastHit: number | undefined;
}

export function watchCounters(
  read: () => Promise<readonly CounterReading[]>,
  onProblem: (error: unknown) => void,
  now: () => number,
  everyMs = EVERY_MS,
): CounterWatch {
  let latest: Readonly<Record<string, number>> = {};
  let seen: ReadonlyMap<string, Seen> | undefined;
  let reading = false;

  const take = async (): Promise<readonly RuleCounter[]> => {
    const readings = await read();
    const at = now();
    const rules = readings.flatMap((one): readonly RuleCounter[] => {
      if (one.kind !== "leaf") return [];
      const { kind: _, ...leaf } = one;
      const before = seen?.get(keyOf(leaf));
      // What the first reading finds was counted nobody knows when.
      const counted = before?.packets ?? (seen === undefined ? leaf.packets : 0);
      const lastHit = leaf.packets > counted ? at : before?.lastHit;
      return [{ ...leaf, ...(lastHit === undefined ? {} : { lastHit }) }];
    });
    seen = new Map(
      rules.map((rule) => [keyOf(rule), { packets: rule.packets, lastHit: rule.lastHit }]),
    );
    latest = specialCounters(readings);
    return rules;
  };

  const look = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    try {
      await take();
    } catch (error) {
      onProblem(error);
    } finally {
      reading = false;
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { latest: () => latest, rules: take, stop: () => clearInterval(timer) };
}

function keyOf({
  cookie,
  plane,
  direction,
  verdict,
}: Pick<RuleCounter, "cookie" | "plane" | "direction" | "verdict">): string {
  return `${plane} ${direction} ${verdict} ${cookie}`;
}

function specialCounters(readings: readonly CounterReading[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    readings.flatMap((one) => (one.kind === "special" ? [[one.name, one.packets]] : [])),
  );
}
