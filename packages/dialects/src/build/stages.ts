/** The stages of a policy set in evaluation order: those that are always there, and those that dialects bring. */
import type { Stage } from "@bulkhead/model";
import type { RankedStage } from "../dialect.ts";

export type StageFrame = Omit<Stage, "blocks">;

const APPLICATION = 251;

/** Native tiers keep their names. NetworkPolicies live in `application`; what Cilium brings does, too. */
const ALWAYS: readonly RankedStage[] = [
  { id: "emergency", rank: 10, plane: "net", mode: "firstMatch", endIfApplied: "pass" },
  { id: "metadata", rank: 20, plane: "net", mode: "firstMatch", endIfApplied: "pass" },
  { id: "guardrail", rank: 30, plane: "net", mode: "firstMatch", endIfApplied: "pass" },
  { id: "exception", rank: 40, plane: "net", mode: "firstMatch", endIfApplied: "pass" },
  {
    id: "application",
    rank: APPLICATION,
    plane: "net",
    mode: "denyOverrides",
    endIfApplied: "deny",
  },
  { id: "baseline", rank: 260, plane: "net", mode: "firstMatch", endIfApplied: "pass" },
];

/** Several of one id must say the same; the last stage of a plane passes to the default. */
export function orderStages(brought: readonly RankedStage[]): readonly StageFrame[] {
  const byId = new Map([...ALWAYS, ...brought].map((stage) => [stage.id, stage]));
  const ordered = [...byId.values()].toSorted((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
  return ordered.map(({ rank: _rank, passTo, ...frame }, at): StageFrame => {
    const next = ordered.slice(at + 1).find(({ plane }) => plane === frame.plane)?.id ?? null;
    return { ...frame, onPass: passTo === undefined ? next : passTo === "end" ? null : passTo };
  });
}

/** Those of a set in which no dialect brought any. */
export const STAGES: readonly StageFrame[] = orderStages([]);
