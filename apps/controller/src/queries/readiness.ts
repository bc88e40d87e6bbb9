/**
 * How complete the picture is, from all days on record. An answer costs what history is long, so each is kept for a while:
 * ten times as long as it took, and as long as nothing changes.
 */
import type { DoubtAnswer, DoubtsRequest, ReadinessAnswer } from "@bulkhead/api";
import {
  readinessReport,
  weighHistories,
  type DoubtAnswers,
  type ReadinessInput,
} from "@bulkhead/learn";
import type { Cidr, EdgeHistory, Inventory, Watch } from "@bulkhead/model";
import type { DoubtBook } from "./doubt-book.ts";
import { namesOf, type DomainSet } from "../policy/domain-sets.ts";

export interface ReadinessContext {
  readonly histories: () => Promise<readonly EdgeHistory[]>;
  readonly watch: () => Promise<readonly Watch[]>;
  /** Asked for after the histories: who came meanwhile is known. */
  readonly inventory: () => Inventory;
  readonly schedules: () => ReadinessInput["schedules"];
  readonly dependencies: () => ReadinessInput["dependencies"];
  readonly domainSets: () => readonly DomainSet[];
  /** Prefixes in force that a person said. */
  readonly ranges: () => readonly Cidr[];
  /** What people said of doubtful edges, and what rules in force say of them. */
  readonly book: DoubtBook;
  readonly ruled: () => DoubtAnswers["ruled"];
  readonly now: () => number;
}

export interface ReadinessQueries {
  assess(level: ReadinessAnswer["level"]): Promise<ReadinessAnswer>;
  /** What was found last, at whatever time; absent before anybody asked. */
  last(level: ReadinessAnswer["level"]): ReadinessAnswer | undefined;
  /** Records a person's words, and what was found without them is asked for anew. */
  answer(request: DoubtsRequest): Promise<readonly DoubtAnswer[]>;
}

const KEPT_TIMES = 10;

export function createReadiness(context: ReadinessContext): ReadinessQueries {
  const answers = new Map<
    ReadinessAnswer["level"],
    { readonly answer: ReadinessAnswer; readonly until: number }
  >();
  return {
    async assess(level) {
      const known = answers.get(level);
      const begun = context.now();
      // A clock that was set back would keep it for ever.
      if (known !== undefined && known.answer.at <= begun && begun < known.until) {
        return known.answer;
      }
      const answer = await assess(level, context);
      const ended = context.now();
      answers.set(level, { answer, until: ended + KEPT_TIMES * Math.max(0, ended - begun) });
      return answer;
    },
    last: (level) => answers.get(level)?.answer,
    async answer(request) {
      const { doubts } = weighHistories(await context.histories(), context.inventory(), {
        namedSets: namesOf(context.domainSets()),
      });
      const answered = await context.book.record(request, doubts);
      answers.clear();
      return answered;
    },
  };
}

async function assess(
  level: ReadinessAnswer["level"],
  context: ReadinessContext,
): Promise<ReadinessAnswer> {
  // One after the other: the store takes one question at a time.
  const histories = await context.histories();
  const watch = await context.watch();
  const ruled = context.ruled();
  const report = readinessReport(
    {
      histories,
      watch,
      inventory: context.inventory(),
      schedules: context.schedules(),
      dependencies: context.dependencies(),
      ranges: context.ranges(),
      now: context.now(),
      level,
    },
    { namedSets: namesOf(context.domainSets()) },
    {
      accept: context.book.accepted(),
      reject: context.book.rejected(),
      ...(ruled === undefined ? {} : { ruled }),
    },
  );
  return { ...report, answered: [...context.book.answered()] };
}
