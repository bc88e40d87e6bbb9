/**
 * Doubtful edges: answered and with data, but rare, late or at odd hours, so that a suggestion leaves them out and a policy made of
 * it denies them. Whose picture holds one is not ready before a person has said whether it is needed. What was said is matched
 * by the words that name the edge; a rule in force that decides it is such a word, too.
 */
import type { Awaited, Edge, EdgeHistory, SetAside, SetAsideReason } from "@bulkhead/model";
import { by, groupBy } from "../order.ts";
import { isNamed, namesOfHabits } from "../suspicion/suspicion.ts";

/** What may be real, and is a person's to judge. Who searches, or calls home like a clock, is neither evidence nor awaited. */
const DOUBTFUL: ReadonlySet<SetAsideReason> = new Set(["lone", "first-ever", "off-hours"]);

export interface DoubtAnswers {
  /** Needed: `shop/web → shop/db 5432/tcp`, of groups or of single ends. */
  readonly accept?: readonly string[];
  /** Not needed. */
  readonly reject?: readonly string[];
  /** What a rule in force says of it, where one does: not what follows from the lack of rules. Absent: no rule is known. */
  readonly ruled?: (edge: Edge) => "allow" | "deny" | undefined;
}

/** By the edge that was set aside. */
export type Doubts = ReadonlyMap<Edge, SetAside>;

export interface Doubted {
  /** Nobody has said anything of these. */
  readonly open: Doubts;
  /** A rule in force allows them. */
  readonly allowed: ReadonlySet<Edge>;
}

export function doubtsIn(
  setAside: readonly SetAside[],
  { reject = [], ruled = () => undefined }: DoubtAnswers,
): Doubted {
  const rejected = namesOfHabits(reject);
  const open = new Map<Edge, SetAside>();
  const allowed = new Set<Edge>();
  const doubtful = setAside.filter(({ reason }) => DOUBTFUL.has(reason));
  for (const [text, own] of groupBy(doubtful, ({ habit }) => habit ?? "")) {
    if (isNamed({ text, edges: own.map(({ edge }) => edge) }, rejected)) continue;
    for (const one of own) {
      const word = ruled(one.edge);
      if (word === undefined) open.set(one.edge, one);
      else if (word === "allow") allowed.add(one.edge);
    }
  }
  return { open, allowed };
}

/** The doubtful edge that a person means by these words; undefined where there is none. */
export function doubtNamed(words: string, doubts: Doubts): string | undefined {
  const names = namesOfHabits([words]);
  for (const [text, own] of groupBy(doubts.values(), ({ habit }) => habit ?? "")) {
    if (isNamed({ text, edges: own.map(({ edge }) => edge) }, names)) return text;
  }
  return undefined;
}

/** So many are named one by one for each subject. */
const MOST_NAMED = 10;

/** Of a subject's edges: the latest few, and how many there are besides. */
export function awaitedDoubts(
  edges: Iterable<readonly EdgeHistory[]>,
  doubts: Doubts,
): { readonly named: readonly Awaited[]; readonly more: number } {
  if (doubts.size === 0) return { named: [], more: 0 };
  const own = [...edges].flatMap((same) => same.flatMap(({ edge }) => doubts.get(edge) ?? []));
  const all = [...groupBy(own, ({ habit }) => habit ?? "")]
    .flatMap(([edge, same]) => awaitedOf(edge, same))
    .toSorted(
      by(
        (one) => -one.lastSeen,
        (one) => one.edge,
      ),
    );
  return { named: all.slice(0, MOST_NAMED), more: Math.max(0, all.length - MOST_NAMED) };
}

type AwaitedDoubt = Extract<Awaited, { kind: "doubt" }>;

function awaitedOf(edge: string, same: readonly SetAside[]): readonly AwaitedDoubt[] {
  const [first] = same;
  if (first === undefined) return [];
  const { reason, detail } = first;
  const edges = [...new Set(same.map((one) => one.edge))];
  return [
    {
      kind: "doubt",
      edge,
      reason,
      detail,
      connections: edges.reduce((sum, { connections }) => sum + connections, 0),
      firstSeen: edges.reduce((least, { firstSeen }) => Math.min(least, firstSeen), Infinity),
      lastSeen: edges.reduce((most, { lastSeen }) => Math.max(most, lastSeen), -Infinity),
    },
  ];
}
