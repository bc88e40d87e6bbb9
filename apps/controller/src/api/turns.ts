/**
 * One after the other: what costs the controller most is done for one caller at a time, and so many may wait. Nobody can tell
 * those who may only read apart, so that their turns are everybody's.
 */
import { ApiFailure } from "@bulkhead/api";

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurns(mostWaiting: number): InTurn {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    if (waiting >= mostWaiting) {
      throw new ApiFailure(
        "busy",
        `${mostWaiting} requests like this one are waiting already, and they are answered one at a time`,
        { help: "try again in a while" },
      );
    }
    waiting += 1;
    const before = last;
    const mine = before.then(work);
    // Whoever comes next waits for this one to end, however it ends.
    last = mine.catch(() => undefined);
    void before.then(() => {
      waiting -= 1;
    });
    return mine;
  };
}
