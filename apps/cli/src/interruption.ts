/** Waiting that Ctrl-C ends: the work itself may go on elsewhere, which is for `aftermath` to say. */
import { setImmediate } from "node:timers/promises";
import { Interrupted } from "./failure.ts";

export async function orInterrupted<T>(
  signal: AbortSignal,
  work: Promise<T>,
  aftermath?: string,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(new Interrupted(aftermath));
  if (signal.aborted) interrupt();
  else signal.addEventListener("abort", interrupt, { once: true });
  try {
    return await Promise.race([promise, work]);
  } catch (error) {
    // Whatever waited beneath was interrupted too: the words of the outermost count.
    if (error instanceof Interrupted && aftermath !== undefined) throw new Interrupted(aftermath);
    throw error;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

/** Between two pieces of work of this process itself: lets Ctrl-C come in, and ends if it did. */
export async function heedInterruption(signal: AbortSignal): Promise<void> {
  await setImmediate();
  if (signal.aborted) throw new Interrupted();
}
