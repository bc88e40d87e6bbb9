/**
 * Timers of the machine's systemd, as `systemctl` tells of them: which unit each starts, when it did so last, and when it will
 * next. What a unit runs is neither asked nor told.
 */
import type { FoundSchedule } from "@bulkhead/wire";

/** Runs a program and gives what it printed. Throws when it cannot be run or fails. */
export type Run = (command: string, args: readonly string[]) => Promise<string>;

const MOST_TIMERS = 500;

export async function readTimers(run: Run): Promise<readonly FoundSchedule[]> {
  const listed = await run("systemctl", ["list-timers", "--all", "--output=json", "--no-pager"]);
  const timers = timersIn(listed).slice(0, MOST_TIMERS);
  if (timers.length === 0) return [];
  const shown = await run("systemctl", [
    "show",
    "--no-pager",
    "--property=Id,ActiveState,TimersCalendar,TimersMonotonic",
    "--",
    ...timers.map(({ unit }) => unit),
  ]);
  const facts = timerFacts(shown);
  return timers.map(({ unit, activates, next, last }): FoundSchedule => {
    const { expressions = [], active = true } = facts.get(unit) ?? {};
    return {
      name: `timer ${unit}`,
      kind: "systemd-timer",
      expression: expressions.join("; ") || "unknown",
      ...(activates === undefined ? {} : { unit: activates }),
      ...(last === undefined ? {} : { lastRun: last }),
      ...(next === undefined || !active ? {} : { nextRun: next }),
      ...(active ? {} : { suspended: true }),
    };
  });
}

interface Timer {
  readonly unit: string;
  readonly activates?: string;
  /** Milliseconds since the epoch. */
  readonly next?: number;
  readonly last?: number;
}

/** `systemctl list-timers --output=json`: microseconds; 0 and the greatest number are never. */
export function timersIn(text: string): readonly Timer[] {
  const rows: unknown = JSON.parse(text);
  if (!Array.isArray(rows)) throw new Error("systemctl list-timers printed no list");
  return rows.flatMap((row: Readonly<Record<string, unknown>>): Timer[] => {
    const { unit, activates } = row;
    if (typeof unit !== "string" || !UNIT.test(unit)) return [];
    const [next, last] = [row["next"], row["last"]].map(timeOf);
    return [
      {
        unit,
        ...(typeof activates === "string" && UNIT.test(activates) ? { activates } : {}),
        ...(next === undefined ? {} : { next }),
        ...(last === undefined ? {} : { last }),
      },
    ];
  });
}

/** systemd.unit(5): what a name of a unit is made of. */
const UNIT = /^[A-Za-z0-9:_.\\@-]{1,255}$/;
/** Year 3000: what is later never comes. */
const NEVER_US = 32_503_680_000_000_000;

const timeOf = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 && value < NEVER_US ? Math.floor(value / 1000) : undefined;

/** `systemctl show`: a block of `Key=value` for each unit; `TimersCalendar={ OnCalendar=… ; next_elapse=… }` may come several times. */
export function timerFacts(
  text: string,
): ReadonlyMap<string, { readonly expressions: readonly string[]; readonly active: boolean }> {
  return new Map(
    text.split(/\n\n+/).flatMap((block) => {
      const id = /^Id=(.+)$/m.exec(block)?.[1];
      if (id === undefined) return [];
      const expressions = [
        ...block.matchAll(/^Timers(?:Calendar|Monotonic)=\{ (\w+)=(.*?) ; next_elapse=.*\}$/gm),
      ].map(([, key = "", value = ""]) =>
        key === "OnCalendar" ? value : `${key.replace(/USec$/, "Sec")}=${value}`,
      );
      return [[id, { expressions, active: /^ActiveState=active$/m.test(block) }] as const];
    }),
  );
}
