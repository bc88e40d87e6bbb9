/** Milliseconds that only ever grow, the same in every thread of this process: for intervals, whatever the wall clock does. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1_000_000;
}
