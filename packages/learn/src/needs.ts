/** Relation by relation: is it needed, does a rule have to say so, and at which of its ends? */
import type { FlaggedSource, SetAside } from "@bulkhead/model";
import type { Relation } from "./ends.ts";
import { pairKey } from "./ephemeral.ts";
import { judgeRelation, type JudgeOptions } from "./judge.ts";
import { groupBy } from "./order.ts";
import { ownResolvers } from "./own-resolver.ts";
import { joinUsers, sidesOf, type PeopleOptions } from "./people.ts";
import { purposeOf } from "./purpose.ts";
import type { RawNeed } from "./world.ts";

export interface NeedsInput extends Omit<PeopleOptions, "resolvers"> {
  readonly relations: readonly Relation[];
  readonly flagged: ReadonlyMap<string, FlaggedSource>;
  readonly judge: JudgeOptions;
}

export function needsOf(input: NeedsInput): {
  readonly needs: readonly RawNeed[];
  readonly refused: readonly SetAside[];
} {
  const { relations, flagged, judge, processes } = input;
  const people: PeopleOptions = { ...input, resolvers: ownResolvers(relations, processes) };
  const byPair = groupBy(relations, pairKey);
  const needs: RawNeed[] = [];
  const refused: SetAside[] = [];
  for (const relation of relations) {
    const sides = sidesOf(relation, people);
    if (sides.kind === "left") {
      const { reason } = sides;
      refused.push(
        ...relation.edges.map((edge) => ({ edge, reason, detail: sides.detailOf(edge) })),
      );
      continue;
    }
    const judgement = judgeRelation(relation, byPair, flagged, judge);
    refused.push(...judgement.refused);
    const [edge] = judgement.kind === "needed" ? judgement.edges : [];
    if (judgement.kind === "needed" && edge !== undefined) {
      const purpose = purposeOf(edge);
      needs.push({
        ...relation,
        rare: judgement.rare,
        edges: judgement.edges,
        ...(purpose === undefined ? {} : { purpose }),
        ...(sides.kind === "one" ? { only: sides.only } : {}),
      });
    }
  }
  return { needs: joinUsers(needs, people), refused };
}
