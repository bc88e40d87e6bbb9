/**
 * A row and what lies on top of it for a time. Where an expiry ahead changes a decision, the decision of now becomes a
 * piece with a deadline, and the row beneath shows what follows; if several changes follow one another, beneath shows the
 * strictest of what is to come, so that nothing is ever allowed longer than the policy says.
 */
import { ICMP, ICMPV6, SCTP, TCP, UDP } from "@bulkhead/model";
import { cellsOf, cutCells, type PortCells } from "./port-cells.ts";
import type { Coverage, Program } from "./class-program.ts";
import type { DecisionTable } from "./decision-table.ts";
import { paint, type Conflict, type Conflicts, type MatchedRule } from "./paint.ts";
import type { RowTable } from "./row-table.ts";

export interface Piece {
  readonly protocol: number;
  readonly first: number;
  readonly last: number;
  /** Number in the decision table. */
  readonly decision: number;
  readonly deadline: number;
}

export interface TimedRow {
  /** Number in the row table. */
  readonly base: number;
  readonly pieces: readonly Piece[];
  /** Met while painting it. */
  readonly conflicts: readonly Conflict[];
}

/** A rule that holds the address, with the ports it means there. */
export interface Claimant {
  readonly rank: number;
  readonly coverage: readonly Coverage[];
}

/** One way to read a flow: whose policy judges it, and which of its rules hold the other end, ascending by rank. */
export interface Reading {
  readonly program: Program;
  readonly claimants: readonly Claimant[];
  /** Absent: it may be read so at any port. */
  readonly ports?: ReadingPorts;
}

/** Of these ports, or of all others. */
export interface ReadingPorts {
  readonly kind: "only" | "but";
  readonly ports: readonly { readonly protocol: number; readonly port: number }[];
  /** Other readings of the same ports follow or precede it. */
  readonly isContested?: boolean;
}

/**
 * Of several readings (an address that several workloads claim) the strictest holds, the first on a tie. There must be one at
 * least for every port.
 */
export function timedRow(
  readings: readonly Reading[],
  now: number,
  decisions: DecisionTable,
  rows: RowTable,
): TimedRow {
  const coverages = readings.flatMap(({ claimants, ports }) => [
    ...claimants.map(({ coverage }) => coverage),
    ...(ports === undefined ? [] : [coverageOf(ports)]),
  ]);
  const cells = cutCells(coverages);
  const changes = changesAhead(readings);
  const found: Conflicts = new Map();
  const brush: Brush = { readings, decisions, conflicts: found };
  const current = paintAll(brush, cells, now);
  if (changes.length === 0) {
    return { base: rows.intern(cells, current), pieces: [], conflicts: [...found.values()] };
  }

  const ahead = lookAhead(brush, cells, now, changes);
  const others = cells.count - 1;
  const [present, beneath] = [ahead.current[others]!, ahead.base[others]!];
  const canWait =
    ahead.deadlines[others] !== 0 && decisions.strictness(beneath) >= decisions.strictness(present);
  if (!canWait) return timed(cells, ahead, rows, found);
  // Something about every protocol ends, and what follows is no stricter. Spelled out it is 256 entries for each peer; so
  // only the protocols that people use change on the minute, and the rest waits until the policy is compiled again.
  const fine = cutCells([...coverages, USUAL_PROTOCOLS]);
  const finer = lookAhead(brush, fine, now, changes);
  const rest = fine.count - 1;
  finer.base[rest] = finer.current[rest]!;
  finer.deadlines[rest] = 0;
  return timed(fine, finer, rows, found);
}

const USUAL_PROTOCOLS: readonly Coverage[] = [ICMP, TCP, UDP, ICMPV6, SCTP].map((protocol) => ({
  protocol,
  first: 0,
  last: 0xffff,
}));

/** Per cell: what holds now, what shall lie beneath, and when the one gives way to the other (0: never, they are one). */
interface Ahead {
  readonly current: Int32Array;
  readonly base: Int32Array;
  readonly deadlines: Float64Array;
}

function timed(
  cells: PortCells,
  { current, base, deadlines }: Ahead,
  rows: RowTable,
  conflicts: Conflicts,
): TimedRow {
  return {
    base: rows.intern(cells, base),
    pieces: piecesOf(cells, current, deadlines),
    conflicts: [...conflicts.values()],
  };
}

/** What is painted, and where to note what disagreed. */
interface Brush {
  readonly readings: readonly Reading[];
  readonly decisions: DecisionTable;
  readonly conflicts: Conflicts;
}

function lookAhead(brush: Brush, cells: PortCells, now: number, changes: readonly number[]): Ahead {
  const { decisions } = brush;
  const current = paintAll(brush, cells, now);
  const future = changes.map((time) => ({ time, painted: paintAll(brush, cells, time) }));
  const base = current.slice();
  const deadlines = new Float64Array(cells.count);
  for (let cell = 0; cell < cells.count; cell++) {
    const first = future.findIndex(({ painted }) => painted[cell] !== current[cell]);
    if (first < 0) continue;
    const beneath = future
      .slice(first)
      .map(({ painted }) => painted[cell]!)
      .reduce((a, b) => (decisions.strictness(b) < decisions.strictness(a) ? b : a));
    base[cell] = beneath;
    if (beneath !== current[cell]) deadlines[cell] = future[first]!.time;
  }
  return { current, base, deadlines };
}

function paintAll(
  { readings, decisions, conflicts }: Brush,
  cells: PortCells,
  time: number,
): Int32Array {
  const painted = readings.map(({ program, claimants }) => {
    const matched = claimants.map(({ rank, coverage }): MatchedRule => ({
      rank,
      ranges: coverage.map((range) => cellsOf(cells, range)),
    }));
    return paint(program, matched, cells.count, time, decisions, conflicts);
  });
  if (painted.length === 1) return painted[0]!;
  const asked = readings.map(({ ports }) => ports && cellsAsked(ports, cells));
  return Int32Array.from({ length: cells.count }, (_, cell) =>
    painted
      .flatMap((decided, i) => (asked[i] === undefined || asked[i][cell] ? [decided[cell]!] : []))
      .reduce((a, b) => (decisions.strictness(b) < decisions.strictness(a) ? b : a)),
  );
}

function coverageOf({ ports }: ReadingPorts): Coverage[] {
  return ports.map(({ protocol, port }) => ({ protocol, first: port, last: port }));
}

/** By cell: is the reading asked there? */
function cellsAsked(ports: ReadingPorts, cells: PortCells): boolean[] {
  const only = ports.kind === "only";
  const asked = Array.from({ length: cells.count }, () => !only);
  for (const range of coverageOf(ports)) {
    const { first, last } = cellsOf(cells, range);
    asked.fill(only, first, last + 1);
  }
  return asked;
}

/** The moments at which something that bears on these readings expires, ascending. */
function changesAhead(readings: readonly Reading[]): number[] {
  const times = new Set<number>();
  for (const { program, claimants } of readings) {
    for (const { rank } of claimants) times.add(program.rules[rank]!.expiresAt);
    for (const { isolations } of program.planes.flatMap(({ stages }) => stages)) {
      for (const { expiresAt } of isolations) times.add(expiresAt);
    }
  }
  times.delete(Infinity);
  return [...times].toSorted((a, b) => a - b);
}

const PROTOCOLS = 256;

/** Cells with a deadline, neighbours merged. The cell of all other protocols is spelled out: a piece has one protocol. */
function piecesOf(cells: PortCells, current: Int32Array, deadlines: Float64Array): Piece[] {
  const pieces: Piece[] = [];
  const add = (protocol: number, first: number, last: number, cell: number) => {
    const deadline = deadlines[cell]!;
    if (deadline === 0) return;
    const decision = current[cell]!;
    const previous = pieces.at(-1);
    if (
      previous?.protocol === protocol &&
      previous.last + 1 === first &&
      previous.decision === decision &&
      previous.deadline === deadline
    ) {
      pieces[pieces.length - 1] = { ...previous, last };
    } else {
      pieces.push({ protocol, first, last, decision, deadline });
    }
  };
  const listed = new Map(cells.protocols.map((entry) => [entry.protocol, entry]));
  for (let protocol = 0; protocol < PROTOCOLS; protocol++) {
    const entry = listed.get(protocol);
    if (entry === undefined) {
      add(protocol, 0, 0xffff, cells.count - 1);
      continue;
    }
    for (const [i, start] of entry.starts.entries()) {
      add(protocol, start, (entry.starts[i + 1] ?? 0x10000) - 1, entry.offset + i);
    }
  }
  return pieces;
}
