/**
 * What people said of doubtful edges: needed or not, by whom, when and why. It is on disk before it counts; `readiness` waits
 * no more for what was answered, and suggestions propose what was accepted.
 */
import { ApiFailure, type DoubtAnswer, type DoubtsRequest } from "@bulkhead/api";
import { doubtNamed, type Doubts } from "@bulkhead/learn";
import { createInTurn } from "@bulkhead/model";
import type { StateStore } from "@bulkhead/store";

export interface DoubtBook {
  /** By edge. */
  answered(): readonly DoubtAnswer[];
  accepted(): readonly string[];
  rejected(): readonly string[];
  /** `known`: all that is doubtful, answered or not. Nothing is recorded where one of the names is nobody's. */
  record(request: DoubtsRequest, known: Doubts): Promise<readonly DoubtAnswer[]>;
}

const SETTING = "doubts";
/** Enough for years of words; a list that grows for ever would be read at every start. */
const MOST_ANSWERS = 10_000;

export async function openDoubtBook(
  state: Pick<StateStore, "setting" | "saveSetting">,
  now: () => number,
): Promise<DoubtBook> {
  const inTurn = createInTurn();
  let answered = readAnswers(await state.setting(SETTING));
  const saidTo = (answer: DoubtAnswer["answer"]): readonly string[] =>
    answered.filter((one) => one.answer === answer).map(({ edge }) => edge);
  return {
    answered: () => answered,
    accepted: () => saidTo("accepted"),
    rejected: () => saidTo("rejected"),
    record: ({ accept = [], reject = [], forget = [], author, reason }, known) =>
      inTurn(async () => {
        const at = now();
        const say = (words: readonly string[], answer: DoubtAnswer["answer"]): DoubtAnswer[] =>
          words.map((one) => ({ edge: named(one, known), answer, author, reason, at }));
        const said = new Map<string, DoubtAnswer>();
        for (const one of [...say(accept, "accepted"), ...say(reject, "rejected")]) {
          if ((said.get(one.edge) ?? one).answer !== one.answer) {
            throw new ApiFailure("bad-request", `\`${one.edge}\` is accepted and rejected at once`);
          }
          said.set(one.edge, one);
        }
        const gone = new Set([...forget.map((one) => remembered(one, answered)), ...said.keys()]);
        const next = [...answered.filter(({ edge }) => !gone.has(edge)), ...said.values()].toSorted(
          (a, b) => (a.edge < b.edge ? -1 : 1),
        );
        if (next.length > MOST_ANSWERS) {
          throw new ApiFailure(
            "bad-request",
            `more than ${MOST_ANSWERS} answers would be on record`,
            {
              help: "take back those that are no longer needed: `bulkhead readiness --forget`",
            },
          );
        }
        await state.saveSetting(SETTING, JSON.stringify(next));
        answered = next;
        return answered;
      }),
  };
}

function named(words: string, known: Doubts): string {
  const edge = doubtNamed(words, known);
  if (edge !== undefined) return edge;
  throw new ApiFailure("bad-request", `nothing that is doubtful is called \`${words}\``, {
    help: "`bulkhead readiness` names what waits for a word",
  });
}

function remembered(words: string, answered: readonly DoubtAnswer[]): string {
  const plain = words.replaceAll("->", "→").replaceAll(/\s+/g, " ").trim();
  const found = answered.find(({ edge }) => edge === plain);
  if (found !== undefined) return found.edge;
  throw new ApiFailure("bad-request", `nobody said anything of \`${words}\``, {
    help: "`bulkhead readiness -o json` lists what was said",
  });
}

function readAnswers(text: string | null): readonly DoubtAnswer[] {
  return text === null ? [] : (JSON.parse(text) as readonly DoubtAnswer[]);
}
