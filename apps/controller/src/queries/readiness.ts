/**
 * How complete the picture is, from all days on record. An answer costs what history is long, so each is kept for a while:
 * ten times as long as it took, and as long as nothing changes.
 */
import type { DoubtAnswer, DoubtsRequest, ReadinessAnswer } from "@bulkhead/api";
import { weighHistories, type DoubtAnswers, type ReadinessInput } from "@bulkhead/learn";
import {
  createInTurn,
  type Cidr,
  type EdgeHistory,
  type Inventory,
  type Watch,
} from "@bulkhead/model";
import type { HeldResource } from "../policy/candidate.ts";
import type { DoubtBook } from "./doubt-book.ts";
import { readinessAside, type ReadinessQuestion } from "./readiness-aside.ts";
import { reportHere } from "./readiness-report.ts";
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
  /** The same, read already. */
  readonly ruled: () => DoubtAnswers["ruled"];
  readonly held: () => readonly HeldResource[];
  readonly now: () => number;
  /** From so many edges on it is found beside this thread. */
  readonly asideFrom?: number;
}

export interface ReadinessQueries {
  assess(level: ReadinessAnswer["level"]): Promise<ReadinessAnswer>;
  /** What was found last, at whatever time; absent before anybody asked. */
  last(level: ReadinessAnswer["level"]): ReadinessAnswer | undefined;
  /** Records a person's words, and what was found without them is asked for anew. */
  answer(request: DoubtsRequest): Promise<readonly DoubtAnswer[]>;
}

const KEPT_TIMES = 10;
/** Of fewer edges it takes less than a thread to begin, and a tenth of a second. */
const ASIDE_FROM = 5000;

export function createReadiness(context: ReadinessContext): ReadinessQueries {
  const answers = new Map<
    ReadinessAnswer["level"],
    { readonly answer: ReadinessAnswer; readonly until: number }
  >();
  const inTurn = createInTurn();
  let words = 0;
  const found = (level: ReadinessAnswer["level"]): ReadinessAnswer | undefined => {
    const known = answers.get(level);
    const now = context.now();
    // A clock that was set back would keep it for ever.
    return known !== undefined && known.answer.at <= now && now < known.until
      ? known.answer
      : undefined;
  };
  const findAnew = async (level: ReadinessAnswer["level"]): Promise<ReadinessAnswer> => {
    const begun = context.now();
    const said = words;
    const answer = await assess(level, context);
    const ended = context.now();
    // What was said meanwhile is not in it.
    if (said === words)
      answers.set(level, { answer, until: ended + KEPT_TIMES * Math.max(0, ended - begun) });
    return answer;
  };
  return {
    // One at a time: each may take a thread and its memory, and whoever waited has the answer of the one before.
    assess: async (level) => found(level) ?? inTurn(async () => found(level) ?? findAnew(level)),
    last: (level) => answers.get(level)?.answer,
    async answer(request) {
      const { doubts } = weighHistories(await context.histories(), context.inventory(), {
        namedSets: namesOf(context.domainSets()),
      });
      const answered = await context.book.record(request, doubts);
      words += 1;
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
  const asked: ReadinessQuestion = {
    input: {
      histories,
      watch,
      inventory: context.inventory(),
      schedules: context.schedules(),
      dependencies: context.dependencies(),
      ranges: context.ranges(),
      now: context.now(),
      level,
    },
    namedSets: namesOf(context.domainSets()),
    accept: context.book.accepted(),
    reject: context.book.rejected(),
    held: context.held(),
  };
  const report =
    histories.length < (context.asideFrom ?? ASIDE_FROM)
      ? reportHere(asked, context.ruled())
      : await readinessAside(asked);
  return { ...report, answered: [...context.book.answered()] };
}
