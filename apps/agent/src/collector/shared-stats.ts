/**
 * Counters that the reader thread writes and the agent's main thread reads at any time, in shared memory: they survive
 * the thread that counts. One 64-bit number each; the main thread only reads, except for `acknowledged` and `stop`.
 */

const NAMES = [
  /** Log messages of ours that were read. */
  "received",
  /** Log messages that have left in records. */
  "delivered",
  /** Log messages lost in the kernel, by gaps in its sequence numbers: exact. */
  "lost",
  /** Times the kernel said ENOBUFS on the log socket. */
  "overruns",
  /** Log messages that found no room in the window's table. */
  "overflowed",
  "malformed",
  /** Messages in our group with a prefix that is not ours. */
  "foreign",
  "lastEventAt",
  /** When the reader last went round its loop, in monotonic milliseconds. */
  "heartbeat",
  /** Highest sequence number seen plus one; -1 before the first. */
  "nextSequence",
  "windowsSent",
  /** Windows that the main thread has handled; the reader holds back when it falls behind. */
  "windowsDone",
  "connectionEvents",
  /** Events and dump entries that concern endpoints. */
  "connectionsMatched",
  "connectionOverflow",
  "connectionUntracked",
  "connectionOrphaned",
  "connectionsTracked",
  "dumps",
  "dumpMs",
  /** Copies of DNS answers that were read, that held addresses for a name, that were no DNS messages. */
  "dnsRead",
  "dnsAnswers",
  "dnsMalformed",
  /** Copies lost in the kernel, by gaps in their numbers; and the number after the last, -1 before the first. */
  "dnsLost",
  "dnsNextSequence",
  "stop",
] as const;

export type StatName = (typeof NAMES)[number];

export interface SharedStats {
  readonly memory: SharedArrayBuffer;
  get(name: StatName): number;
  set(name: StatName, value: number): void;
  add(name: StatName, value: number): void;
}

/** Makes new counters, or opens those that the other thread made. */
export function sharedStats(memory: SharedArrayBuffer = newMemory()): SharedStats {
  const numbers = new BigInt64Array(memory);
  const at = Object.fromEntries(NAMES.map((name, index) => [name, index])) as Record<
    StatName,
    number
  >;
  return {
    memory,
    get: (name) => Number(Atomics.load(numbers, at[name])),
    set: (name, value) => void Atomics.store(numbers, at[name], BigInt(Math.trunc(value))),
    add: (name, value) => void Atomics.add(numbers, at[name], BigInt(value)),
  };
}

function newMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(NAMES.length * 8);
  const numbers = new BigInt64Array(memory);
  numbers[NAMES.indexOf("nextSequence")] = -1n;
  numbers[NAMES.indexOf("dnsNextSequence")] = -1n;
  return memory;
}
