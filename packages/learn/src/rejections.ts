/** What a person has said is not needed, where it is listed as set aside: nobody has to decide it again. */
import type { SetAside } from "@bulkhead/model";
import { groupBy } from "./order.ts";
import { isNamed, namesOfHabits } from "./suspicion/suspicion.ts";

/** `rejected`: as readiness names doubtful edges, or single ends. The same list, in the same order, with that said of each. */
export function withRejections(
  setAside: readonly SetAside[],
  rejected: readonly string[],
): readonly SetAside[] {
  if (rejected.length === 0) return setAside;
  const names = namesOfHabits(rejected);
  const doubtful = setAside.filter(({ habit }) => habit !== undefined);
  const found = new Set(
    [...groupBy(doubtful, ({ habit }) => habit ?? "")].flatMap(([text, own]) =>
      isNamed({ text, edges: own.map(({ edge }) => edge) }, names) ? own : [],
    ),
  );
  return setAside.map((one) =>
    found.has(one)
      ? { ...one, rejected: true, detail: `${one.detail}; a person rejected it: it is not needed` }
      : one,
  );
}
