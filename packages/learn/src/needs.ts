/** Relation by relation: is it needed, does a rule have to say so, and at which of its ends? */
import type { Edge, FlaggedSource, SetAside } from "@bulkhead/model";
import type { Relation } from "./ends.ts";
import { pairKey } from "./ephemeral.ts";
import { judgeRelation, type Judgement, type JudgeOptions } from "./judge.ts";
import { groupBy } from "./order.ts";
import { ownResolvers } from "./own-resolver.ts";
import { isContinuing } from "./payload.ts";
import { joinUsers, sidesOf, type PeopleOptions } from "./people.ts";
import { purposeOf } from "./purpose.ts";
import type { RawNeed } from "./world.ts";

export interface NeedsInput extends Omit<PeopleOptions, "resolvers"> {
  readonly relations: readonly Relation[];
  readonly flagged: ReadonlyMap<string, FlaggedSource>;
  readonly judge: JudgeOptions;
  /** What the machine sent, and nobody could tell by which process. */
  readonly strangers: readonly Edge[];
}

export function needsOf(input: NeedsInput): {
  readonly needs: readonly RawNeed[];
  readonly refused: readonly SetAside[];
} {
  const { relations, flagged, judge, processes } = input;
  const people: PeopleOptions = { ...input, resolvers: ownResolvers(relations, processes) };
  const byPair = groupBy(relations, pairKey);
  const fates = fatesOf(input);
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
    const judged = judgeRelation(relation, byPair, flagged, judge);
    const judgement = fates.has(fateKey(relation)) ? withFate(judged, relation) : judged;
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

/** Ends of connections that are told of nobody, since the process had gone: which relations may have begun them. */
function fatesOf({ relations, processes, strangers }: NeedsInput): ReadonlySet<string> {
  const whereTo = ({ destination, protocol, port }: Edge): string =>
    [destination.workload ?? destination.address, protocol, port].join("\n");
  const ended = new Set(strangers.filter(isContinuing).map(whereTo));
  return new Set(
    relations
      .filter(
        ({ source, edges }) =>
          source.kind === "group" &&
          source.group.members.some((id) => processes.has(id)) &&
          edges.some((edge) => ended.has(whereTo(edge))),
      )
      .map(fateKey),
  );
}

const fateKey = ({ source, destination, protocol, port }: Relation): string =>
  [source.key, destination.key, protocol, port].join("\n");

/** Not answered as far as is told of it, while an answer is told of nobody: it is the same connection. */
function withFate(judgement: Judgement, { edges }: Relation): Judgement {
  const pending = judgement.refused.length > 0 && judgement.refused.every(isAwaited);
  if (judgement.kind !== "aside" || !pending) return judgement;
  return { kind: "needed", rare: true, edges, refused: [] };
}

const isAwaited = ({ reason }: { readonly reason: string }): boolean => reason === "pending";
