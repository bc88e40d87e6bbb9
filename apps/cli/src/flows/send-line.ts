/**
 * Sends one after the other without waiting for each: the next is read and packed while the last ones are stored. They are
 * taken up in order; after the first that fails none is sent any more.
 */
export interface SendLine<T> {
  /** Waits while as many are under way as may be; rejects with the first failure of any. */
  send(one: T): Promise<void>;
  /** Until all are done; rejects as `send` does. */
  idle(): Promise<void>;
  /** The same, and never rejects. */
  settled(): Promise<void>;
}

const UNDER_WAY = 2;

export function createSendLine<T>(work: (one: T) => Promise<void>): SendLine<T> {
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  function check(): void {
    if (failure !== undefined) throw failure.error;
  }

  return {
    async send(one) {
      while (underWay.size >= UNDER_WAY) await Promise.race(underWay);
      check();
      const done: Promise<void> = work(one)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => underWay.delete(done));
      underWay.add(done);
    },
    async idle() {
      await Promise.all(underWay);
      check();
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}
