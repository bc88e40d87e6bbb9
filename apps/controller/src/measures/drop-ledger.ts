/**
 * What the kernel denied beside what was recorded of it. Every denied packet is counted by its leaf, and then either logged
 * or counted as told before: the first number less the second is what records must sum up to, and what is missing is a
 * blind spot. Only sums since one moment are compared, and times are taken so that doubt speaks for the records: nothing
 * that is merely late, or falls between two looks, is ever called missing.
 *
 *   asked  read by the kernel  answered + slack
 *     │────────── denied ──────────│
 *     └──────────────── recorded ──────────────┘
 */
import type { Cookie } from "@bulkhead/model";
import type { RuleCounter } from "@bulkhead/wire";

export interface CounterReading {
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly rules: readonly RuleCounter[];
  /** Of what stands for no rule, by name. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Packets since `since`. */
export interface Reconciled {
  readonly since: number;
  readonly denied: number;
  /** Told once for many, or too many at once: counted, and not logged. */
  readonly suppressed: number;
  readonly recorded: number;
  /** Never negative. */
  readonly missing: number;
  /** Denied and recorded by cookie, what lacks most first; how much of the difference was suppressed no counter tells. */
  readonly rules: readonly {
    readonly cookie: Cookie;
    readonly denied: number;
    readonly recorded: number;
  }[];
}

/** Packets of one window of the collector have its last one's time, and clocks are read at two places. */
const SLACK_MS = 2000;
/** Denials that no rule decided, and that are logged as those are. */
const GUARDS = ["unknown_port", "unknown_process", "untold_socket"] as const;
const SUPPRESSED = ["live_suppressed", "live_overflowed"] as const;

const MOST_NOTES = 1_000_000;

interface Note {
  readonly end: number;
  readonly cookie: Cookie;
  readonly packets: number;
}

export class DropLedger {
  #first: CounterReading | undefined;
  #last: CounterReading | undefined;
  /** Recorded, and not yet compared. */
  #notes: Note[] = [];
  #recorded = new Map<Cookie, number>();

  /** Denied packets that were recorded, with the time of the last of them. */
  note(note: Note): void {
    // Nobody has read counters for long: what was recorded meanwhile would be compared with nothing.
    if (this.#notes.length >= MOST_NOTES) this.reset();
    this.#notes.push(note);
  }

  /**
   * Takes what was read now, and compares what was read the time before: whatever was logged until then has had so long to
   * arrive. Undefined at the beginning, and when the counters began anew.
   */
  take(reading: CounterReading): Reconciled | undefined {
    const [first, last] = [this.#first, this.#last];
    if (first === undefined || last === undefined || hasRestarted(last, reading)) {
      this.#first = reading;
      this.#last = reading;
      this.#recorded = new Map();
      this.#notes = this.#notes.filter(({ end }) => end > reading.askedAt);
      return undefined;
    }
    this.#last = reading;
    return last === first ? undefined : this.#compare(first, last);
  }

  /** Begins anew with the next reading. */
  reset(): void {
    this.#first = undefined;
    this.#last = undefined;
    this.#notes = [];
    this.#recorded = new Map();
  }

  #compare(first: CounterReading, last: CounterReading): Reconciled {
    const until = last.answeredAt + SLACK_MS;
    for (const { end, cookie, packets } of this.#notes) {
      if (end <= first.askedAt || end > until) continue;
      this.#recorded.set(cookie, (this.#recorded.get(cookie) ?? 0) + packets);
    }
    this.#notes = this.#notes.filter(({ end }) => end > until);
    const [before, after] = [deniedBy(first), deniedBy(last)];
    const rules = [...after].map(([cookie, packets]) => ({
      cookie,
      denied: packets - (before.get(cookie) ?? 0),
      recorded: this.#recorded.get(cookie) ?? 0,
    }));
    const denied =
      rules.reduce((sum, one) => sum + one.denied, 0) + sumOf(last, GUARDS) - sumOf(first, GUARDS);
    const suppressed = sumOf(last, SUPPRESSED) - sumOf(first, SUPPRESSED);
    const recorded = [...this.#recorded.values()].reduce((sum, packets) => sum + packets, 0);
    return {
      since: first.askedAt,
      denied,
      suppressed,
      recorded,
      missing: Math.max(0, denied - suppressed - recorded),
      rules: rules
        .filter((one) => one.denied > one.recorded)
        .toSorted((a, b) => b.denied - b.recorded - (a.denied - a.recorded)),
    };
  }
}

function deniedBy({ rules }: CounterReading): ReadonlyMap<Cookie, number> {
  const sums = new Map<Cookie, number>();
  for (const { plane, verdict, cookie, packets } of rules) {
    if (plane === "shadow" || verdict === "allow") continue;
    sums.set(cookie, (sums.get(cookie) ?? 0) + packets);
  }
  return sums;
}

function sumOf({ counters }: CounterReading, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (counters[name] ?? 0), 0);
}

/** A rule that left the kernel took its count along: what it had denied is no longer known. */
function hasRestarted(before: CounterReading, after: CounterReading): boolean {
  const now = deniedBy(after);
  const isLess = (name: string): boolean =>
    (after.counters[name] ?? 0) < (before.counters[name] ?? 0);
  return (
    [...deniedBy(before)].some(([cookie, packets]) => (now.get(cookie) ?? -1) < packets) ||
    [...GUARDS, ...SUPPRESSED].some(isLess)
  );
}
