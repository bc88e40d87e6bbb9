/**
 * One at a time: work that must not overlap with other work of the same kind, in the order it was asked for. It stands
 * among the nouns because it is as small and pure as they are, and every room that keeps a kernel, a file or a policy
 * needs it. Do not ask for a turn from within a turn and wait for it: that would wait for itself.
 */
export interface InTurn {
  /** Starts when all work asked for before has ended, well or badly; the caller gets the result or the error of its own work. */
  <T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when all work asked for so far has ended; never rejects, because errors belong to those who asked. */
  idle(): Promise<void>;
}

export function createInTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    // The error is in `result`; the next in line only waits for the end.
    last = result.catch(() => undefined);
    return result;
  };
  return Object.assign(inTurn, {
    idle: async (): Promise<void> => {
      await last;
    },
  });
}
