/**
 * Reads a ring buffer (BPF_MAP_TYPE_RINGBUF) where the kernel writes it: both sides share the memory, so an event costs no
 * system call and no copy. The event loop is told when there is something (it neither blocks nor keeps the process alive), and
 * each turn takes a bounded number. Who does not keep up loses nothing here: the ring fills, and the program counts what did not fit.
 */
import { koffi, libc, watchReadable, type NativeMemory } from "../kernel/index.ts";
import type { BpfMap } from "./map.ts";

/**
 * One record: `length` bytes at `start` of `memory`, which belongs to the kernel again after the call. Copy what must last.
 */
export type TakeRecord = (memory: Buffer, start: number, length: number) => void;

export interface RingReaderOptions {
  readonly take: TakeRecord;
  /** Records in one turn of the event loop; others get their turn before the next ones. */
  readonly atOnce?: number;
  /** What `take` threw; the record counts as taken. Without it the error is thrown where the event loop reports it. */
  readonly failed?: (error: unknown) => void;
}

export interface RingStatistics {
  /** Records handed out. */
  readonly taken: number;
  /** Records that the program began and threw away. */
  readonly discarded: number;
  /** Bytes that lie in the ring unread. */
  readonly waiting: number;
}

export interface RingReader {
  readonly statistics: RingStatistics;
  /** Takes up to `atMost` records (all that are there) now, and says how many; also while paused. */
  drain(atMost?: number): number;
  /** No more records are taken until `resume`: the ring keeps them as long as it has room. */
  pause(): void;
  resume(): void;
  /** Nothing is read after it; the map stays. */
  close(): void;
}

/** In the first word of a record (include/uapi/linux/bpf.h): still being written; not to be read. */
const BUSY = 0x80000000 | 0;
const DISCARDED = 0x40000000;
const HEADER = 8;
const AT_ONCE = 4096;

/** Throws `KernelError` when the ring cannot be mapped. One reader a ring: two would take each other's records. */
export function readRing(ring: BpfMap, options: RingReaderOptions): RingReader {
  const { take, atOnce = AT_ONCE, failed } = options;
  const size = ring.info.maxEntries;
  const page = pageSize();
  const consumer = libc().mapShared(ring.fd, page, 0, true);
  let producer: NativeMemory;
  try {
    // The data lies there twice in a row, so that a record which goes over the end is in one piece.
    producer = libc().mapShared(ring.fd, page + 2 * size, page, false);
  } catch (error) {
    libc().unmap(consumer);
    throw error;
  }
  const words = (memory: NativeMemory): BigInt64Array =>
    new BigInt64Array(memory.buffer.buffer, memory.buffer.byteOffset, 1);
  const readTo = words(consumer);
  const writtenTo = words(producer);
  const data = producer.buffer.subarray(page);
  const headers = new Int32Array(data.buffer, data.byteOffset, (2 * size) / 4);
  let taken = 0;
  let discarded = 0;
  let watch: { close(): void } | null = null;
  let closed = false;

  /** Up to `atMost` records; what `take` throws comes out after the record was given back. */
  function drain(atMost = Number.POSITIVE_INFINITY): number {
    if (closed) return 0;
    let count = 0;
    let from = Atomics.load(readTo, 0);
    let at = Number(from);
    try {
      for (;;) {
        const end = Number(Atomics.load(writtenTo, 0));
        if (at >= end || count >= atMost) return count;
        while (at < end && count < atMost) {
          const offset = at % size;
          const header = Atomics.load(headers, offset / 4);
          if ((header & BUSY) !== 0) return count;
          const length = header & ~DISCARDED;
          at += (length + HEADER + 7) & ~7;
          if ((header & DISCARDED) !== 0) {
            discarded++;
            continue;
          }
          count++;
          taken++;
          handOut(offset + HEADER, length);
          // By whom it was handed to: the memory is gone.
          if (closed) return count;
        }
        // Given back before asking again whether there is more: the kernel wakes us only if it finds us at its end.
        from = BigInt(at);
        Atomics.store(readTo, 0, from);
      }
    } finally {
      if (!closed && BigInt(at) !== from) Atomics.store(readTo, 0, BigInt(at));
    }
  }

  function handOut(start: number, length: number): void {
    if (failed === undefined) return take(data, start, length);
    try {
      take(data, start, length);
    } catch (error) {
      failed(error);
    }
  }

  const resume = (): void => {
    if (closed) return;
    watch ??= watchReadable(ring.fd, () => void drain(atOnce));
  };
  const pause = (): void => {
    watch?.close();
    watch = null;
  };
  resume();
  return {
    get statistics() {
      const waiting = closed ? 0 : Number(Atomics.load(writtenTo, 0) - Atomics.load(readTo, 0));
      return { taken, discarded, waiting };
    },
    drain,
    pause,
    resume,
    close() {
      if (closed) return;
      pause();
      closed = true;
      libc().unmap(consumer);
      libc().unmap(producer);
    },
  };
}

let page: number | undefined;

/** Of this kernel: 4 KiB, and up to 64 on arm64. */
function pageSize(): number {
  page ??= koffi().load("libc.so.6").func("int getpagesize()")() as number;
  return page;
}
