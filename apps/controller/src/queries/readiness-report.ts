/** How complete the picture is, with the words that people and rules in force have on what is doubtful. Takes seconds where history is long. */
import { indexInventory } from "@bulkhead/engine";
import { readinessReport, type DoubtAnswers, type ReadinessReport } from "@bulkhead/learn";
import { readPolicy } from "../policy/reading.ts";
import type { ReadinessQuestion } from "./readiness-aside.ts";
import { ruledBy } from "./ruled.ts";

/** `ruled`: what rules in force say, of whoever has read them already. */
export function reportHere(
  asked: ReadinessQuestion,
  ruled: DoubtAnswers["ruled"] = ruledIn(asked),
): ReadinessReport {
  const { input, namedSets, accept, reject } = asked;
  return readinessReport(
    input,
    { namedSets },
    { accept, reject, ...(ruled === undefined ? {} : { ruled }) },
  );
}

function ruledIn({ held, input: { inventory, now } }: ReadinessQuestion): DoubtAnswers["ruled"] {
  const { set } = readPolicy(held, { now, strict: false });
  return ruledBy(set, indexInventory(inventory), now);
}
