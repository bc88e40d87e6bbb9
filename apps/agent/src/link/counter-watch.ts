/**
 * Reads the kernel's counters now and then, so that what no log message tells of is told all the same. Only those that
 * stand for no rule: there are few of them, whatever the policy.
 */
import type { CounterReading } from "@bulkhead/datapath";

export interface CounterWatch {
  /** Packets by name, as of the last reading. */
  latest(): Readonly<Record<string, number>>;
  stop(): void;
}

const EVERY_MS = 10_000;

export function watchCounters(
  read: () => Promise<readonly CounterReading[]>,
  onProblem: (error: unknown) => void,
  everyMs = EVERY_MS,
): CounterWatch {
  let latest: Readonly<Record<string, number>> = {};
  let reading = false;
  const look = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    try {
      latest = specialCounters(await read());
    } catch (error) {
      onProblem(error);
    } finally {
      reading = false;
    }
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { latest: () => latest, stop: () => clearInterval(timer) };
}

function specialCounters(readings: readonly CounterReading[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    readings.flatMap((one) => (one.kind === "special" ? [[one.name, one.packets]] : [])),
  );
}
