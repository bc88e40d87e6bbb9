/**
 * The fold over stages, for all ports at once: rules claim cells in the order of their rank, and what is claimed stays
 * claimed. Gives for every cell the number of the decision that `decide` would come to for any of its ports.
 */
import { PASS, type Program, type ProgramStage } from "./class-program.ts";
import type { DecisionTable } from "./decision-table.ts";
import type { CellRange } from "./port-cells.ts";

/** A rule whose peers hold the address in question, with the cells that its ports cover. */
export interface MatchedRule {
  /** Position in `Program.rules`. */
  readonly rank: number;
  readonly ranges: readonly CellRange[];
}

/** Two rules of blocks of equal order that claim the same ports differently, by their ids. The stricter decides. */
export interface Conflict {
  readonly stricter: string;
  readonly laxer: string;
}

/** Each once, by the ids of its rules. */
export type Conflicts = Map<string, Conflict>;

/**
 * `matched` ascending by rank. Rules and blocks that have expired at `now` are left out. Adds what it finds to
 * `conflicts`.
 */
export function paint(
  program: Program,
  matched: readonly MatchedRule[],
  cellCount: number,
  now: number,
  decisions: DecisionTable,
  conflicts: Conflicts,
): Int32Array {
  const alive = matched.filter(({ rank }) => program.rules[rank]!.expiresAt > now);
  const planes = program.planes.map(({ stages, defaultDecision }) =>
    paintPlane(program, stages, defaultDecision, alive, cellCount, now, conflicts),
  );
  return combinePlanes(planes, decisions);
}

const NONE = -1;

function paintPlane(
  program: Program,
  stages: readonly ProgramStage[],
  defaultDecision: number,
  alive: readonly MatchedRule[],
  cellCount: number,
  now: number,
  conflicts: Conflicts,
): Int32Array {
  const decided = new Int32Array(cellCount).fill(NONE);
  /** The stage that judges the cell next; a pass sets it ahead. */
  const waitsFor = new Int32Array(cellCount);
  let at = 0;
  for (const [number, stage] of stages.entries()) {
    while (at < alive.length && alive[at]!.rank < stage.firstRule) at++;
    const start = at;
    while (at < alive.length && alive[at]!.rank < stage.endRule) at++;
    const isolation = stage.isolations.find(({ expiresAt }) => expiresAt > now);
    if (start === at && isolation === undefined) continue;

    const winners = claimCells(program, alive.slice(start, at), cellCount, conflicts);
    for (let cell = 0; cell < cellCount; cell++) {
      if (decided[cell] !== NONE || waitsFor[cell]! > number) continue;
      const winner = winners[cell]!;
      const outcome = winner === NONE ? isolation?.decision : program.rules[winner]!.decision;
      if (outcome === undefined) continue;
      if (outcome === PASS) waitsFor[cell] = stage.afterPass;
      else decided[cell] = outcome;
    }
  }
  return decided.map((decision) => (decision === NONE ? defaultDecision : decision));
}

/** For each cell the rank of the rule that wins it in this stage, or NONE. */
function claimCells(
  program: Program,
  matched: readonly MatchedRule[],
  cellCount: number,
  conflicts: Conflicts,
): Int32Array {
  const { rules } = program;
  const canvas = new Canvas(cellCount);
  for (let start = 0; start < matched.length;) {
    const { group, block } = rules[matched[start]!.rank]!;
    let end = start;
    let oneBlock = true;
    for (; end < matched.length && rules[matched[end]!.rank]!.group === group; end++) {
      oneBlock &&= rules[matched[end]!.rank]!.block === block;
    }
    const run = matched.slice(start, end);
    if (oneBlock) for (const { rank, ranges } of run) canvas.claim(ranges, rank);
    else claimTogether(canvas, run, cellCount, program, conflicts);
    start = end;
  }
  return canvas.winners;
}

/** Blocks of equal order: each finds its own first match, and among these the strictest wins, the first on a tie. */
function claimTogether(
  canvas: Canvas,
  run: readonly MatchedRule[],
  cellCount: number,
  { rules }: Program,
  conflicts: Conflicts,
): void {
  const firsts = new Map<number, Canvas>();
  for (const { rank, ranges } of run) {
    const { block } = rules[rank]!;
    if (!firsts.has(block)) firsts.set(block, new Canvas(cellCount));
    firsts.get(block)!.claim(ranges, rank);
  }
  for (let cell = 0; cell < cellCount; cell++) {
    if (canvas.winners[cell] !== NONE) continue;
    const ranks = [...firsts.values()]
      .map(({ winners }) => winners[cell]!)
      .filter((rank) => rank !== NONE);
    const strictest = (a: number, b: number) =>
      rules[b]!.strictness < rules[a]!.strictness ? b : a;
    const winner = ranks.reduce(strictest, ranks[0] ?? NONE);
    for (const rank of ranks) {
      if (rules[rank]!.strictness === rules[winner]!.strictness) continue;
      const [stricter, laxer] = [rules[winner]!.rule.id, rules[rank]!.rule.id];
      conflicts.set(`${stricter} ${laxer}`, { stricter, laxer });
    }
    if (winner !== NONE) canvas.claim([{ first: cell, last: cell }], winner);
  }
}

/** Cells that take the first claim made on them. Claimed cells are skipped over in near constant time. */
class Canvas {
  readonly winners: Int32Array;
  /** The next cell at or after this one that may be free; halved paths (Tarjan). */
  readonly #next: Int32Array;

  constructor(cellCount: number) {
    this.winners = new Int32Array(cellCount).fill(NONE);
    this.#next = Int32Array.from({ length: cellCount + 1 }, (_, cell) => cell);
  }

  claim(ranges: readonly CellRange[], winner: number): void {
    for (const { first, last } of ranges) {
      for (let cell = this.#free(first); cell <= last; cell = this.#free(cell)) {
        this.winners[cell] = winner;
        this.#next[cell] = cell + 1;
      }
    }
  }

  #free(from: number): number {
    const next = this.#next;
    let cell = from;
    while (next[cell] !== cell) {
      next[cell] = next[next[cell]!]!;
      cell = next[cell]!;
    }
    return cell;
  }
}

/** As in `decide`: the first plane that denies; else the first that said something; else the network's default. */
function combinePlanes(planes: readonly Int32Array[], decisions: DecisionTable): Int32Array {
  return planes[0]!.map((first, cell) => {
    const all = planes.map((plane) => plane[cell]!);
    return (
      all.find((number) => !decisions.allows(number)) ??
      all.find((number) => !decisions.isDefault(number)) ??
      first
    );
  });
}
