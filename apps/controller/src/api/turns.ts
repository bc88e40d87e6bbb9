/**
 * One after the other: what costs the controller most is done for one caller at a time, and so many may wait. Nobody can tell
 * those who may only read apart, so that their turns are everybody's.
 */
import { ApiFailure } from "@bulkhead/api";
import { createInTurn } from "@bulkhead/model";

export function createTurns(mostWaiting: number): <T>(work: () => Promise<T>) => Promise<T> {
  const inTurn = createInTurn();
  let waiting = 0;
  return async (work) => {
    if (waiting >= mostWaiting) {
      throw new ApiFailure(
        "busy",
        `${mostWaiting} requests like this one are waiting already, and they are answered one at a time`,
        { help: "try again in a while" },
      );
    }
    waiting += 1;
    return inTurn(() => {
      waiting -= 1;
      return work();
    });
  };
}
