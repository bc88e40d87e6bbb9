/**
 * Decides, for all that was seen between two ends on one port, whether it is evidence of need. The rule of thumb: answered
 * and with data = needed, even if rare; never answered, or opened without a word, or by a source that behaves like a
 * scanner = a person decides.
 */
import { ICMP, ICMPV6, type Edge, type FlaggedSource, type SetAsideReason } from "@bulkhead/model";
import { sourceKey, wasHabitBefore, type BehaviourOptions } from "./behaviour.ts";
import type { Relation } from "./ends.ts";
import { ephemeralDetail } from "./ephemeral.ts";
import { isContinuing, isPending, wasAnswered, wasTaken } from "./payload.ts";

export interface JudgeOptions {
  readonly behaviour: BehaviourOptions;
  /** Seen in at most so many windows: rare. */
  readonly rareWindows: number;
  /** Connections without data, and pings, are a habit from so many windows on (health checks). */
  readonly habitWindows: number;
  /** So many distinct high ports between two ends, or a low-port relation the other way: not a service. */
  readonly ephemeralPorts: number;
}

export const DEFAULT_JUDGE: Omit<JudgeOptions, "behaviour"> = {
  rareWindows: 5,
  habitWindows: 5,
  ephemeralPorts: 5,
};

export type Judgement =
  | {
      readonly kind: "needed";
      readonly rare: boolean;
      readonly edges: readonly Edge[];
      readonly refused: readonly Refused[];
    }
  | { readonly kind: "aside"; readonly refused: readonly Refused[] };

export interface Refused {
  readonly edge: Edge;
  readonly reason: SetAsideReason;
  readonly detail: string;
  readonly habit?: string;
}

export function judgeRelation(
  relation: Relation,
  relations: ReadonlyMap<string, readonly Relation[]>,
  flagged: ReadonlyMap<string, FlaggedSource>,
  options: JudgeOptions,
): Judgement {
  const refused: Refused[] = [];
  const evidence = relation.edges.filter((edge) => {
    const reason = refuseSource(edge, flagged.get(sourceKey(edge)), options);
    if (reason !== undefined) refused.push({ edge, ...reason });
    return reason === undefined;
  });
  const aside = (reason: SetAsideReason, detail: string): Judgement => ({
    kind: "aside",
    refused: [...refused, ...evidence.map((edge) => ({ edge, reason, detail }))],
  });
  if (evidence.length === 0) return { kind: "aside", refused };

  const windows = evidence.reduce((sum, edge) => sum + edge.windows, 0);
  if (!evidence.some(wasTaken)) {
    if (evidence.some(isPending) && !evidence.some((edge) => edge.failed > 0)) {
      return aside("pending", "opened just now, not answered yet: ask again in a few seconds");
    }
    return aside("failed", "never answered: the destination refused, or nobody listens");
  }
  const ephemeral = ephemeralDetail(relation, relations, options.ephemeralPorts);
  if (ephemeral !== undefined) return aside("ephemeral", ephemeral);
  if (
    (relation.protocol === ICMP || relation.protocol === ICMPV6) &&
    windows < options.habitWindows
  ) {
    return aside("ping", "a few pings are somebody looking, not a program's need");
  }
  if (!evidence.some(wasAnswered) && windows < options.habitWindows) {
    return aside("one-off", "opened and closed without a word, and not regularly");
  }
  return {
    kind: "needed",
    rare: windows <= options.rareWindows && !evidence.some(isContinuing),
    edges: evidence,
    refused,
  };
}

function refuseSource(
  edge: Edge,
  source: FlaggedSource | undefined,
  options: JudgeOptions,
): { readonly reason: SetAsideReason; readonly detail: string } | undefined {
  if (source === undefined || wasHabitBefore(edge, source, options.behaviour)) return undefined;
  const tried = `\`${source.name}\` tried ${source.targets} targets, ${source.unanswered} of which never answered`;
  if (source.level === "scanner") {
    return wasAnswered(edge)
      ? { reason: "flagged-source", detail: `answered, but ${tried}` }
      : { reason: "scan", detail: tried };
  }
  if (isContinuing(edge) || (edge.windows > 1 && edge.established > 0)) return undefined;
  return { reason: "suspicious-source", detail: `seen once, and ${tried}` };
}
