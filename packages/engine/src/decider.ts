/**
 * `decide` for many questions about one policy set and one inventory: the same answers, looked up in compiled rows. What
 * rows do not tell (requests, names, processes, rules that log, ties) is asked of the reference itself.
 */
import {
  UDP,
  type Cookie,
  type Decision,
  type Determinant,
  type Direction,
  type DirectionDecision,
  type Exemption,
  type FlowQuery,
  type IpAddress,
  type PolicySet,
  type Row,
  type RowDecision,
  type Workload,
} from "@bulkhead/model";
import { isConditional } from "./bounds.ts";
import { segmentAt } from "./compile/address-sweep.ts";
import type { Atom } from "./compile/atom-table.ts";
import type { CompiledClass } from "./compile/compile-view.ts";
import { DEFAULT_COOKIE } from "./compile/decision-table.ts";
import type { TimedRow } from "./compile/timed-row.ts";
import { decide, defaultVerdict } from "./decide.ts";
import { exemptionOf } from "./exemption.ts";
import type { InventoryIndex, Place } from "./inventory-index.ts";
import { byIsolation, byRule, type DecideOptions } from "./judge-stage.ts";
import { createUniverse } from "./reach/reach-universe.ts";
import { isLoopback } from "./socket-owners.ts";

export type Decider = (query: FlowQuery) => Decision;

/** An address with all that was found out about it. */
export interface Seat {
  readonly place: Place;
  /** The same, where a workload is. */
  readonly subject: (Place & { readonly workload: Workload }) | undefined;
  /** Undefined: it is the world's. */
  readonly atom: Atom | undefined;
  readonly judges: Readonly<Record<Direction, Judge | null>>;
  /** A workload's, and no node's: nobody is exempt for being there. */
  readonly isOrdinary: boolean;
  readonly isLoopback: boolean;
}

/** A class with the rows that were asked for, by atom; null: its rules disagree there. */
export interface Judge extends Pick<CompiledClass, "direction" | "blocks" | "map"> {
  readonly prepared: (PreparedRow | null | undefined)[];
}

type AtPort = Pick<FlowQuery, "protocol" | "port">;

/** `decide` for two addresses that were looked up before. */
export interface Seating {
  /** As it stands at that moment in that view. */
  readonly set: PolicySet;
  seatOf(address: IpAddress): Seat;
  /** May the one call the other? Null: the rows do not tell. */
  allows(from: Seat, to: Seat, flow: AtPort): boolean | null;
  decide(from: Seat, to: Seat, flow: AtPort): Decision | null;
}

/** So many addresses of the world are remembered before all of them are forgotten. */
const MOST_STRANGERS = 10_000;

export function createDecider(
  set: PolicySet,
  index: InventoryIndex,
  options: DecideOptions,
): Decider {
  const reference: Decider = (query) => decide(set, index, query, options);
  const seating = createSeating(set, index, options);
  if (seating === null) return reference;
  return (query) => {
    if (query.sourceProcess !== undefined || query.destinationProcess !== undefined) {
      return reference(query);
    }
    const from = seating.seatOf(query.source);
    return seating.decide(from, seating.seatOf(query.destination), query) ?? reference(query);
  };
}

/** Null: rows do not say all that the reference would. Whose processes are at the ends is nothing that rows tell. */
export function createSeating(
  set: PolicySet,
  index: InventoryIndex,
  options: DecideOptions,
): Seating | null {
  if (!isPlain(set, index)) return null;
  const universe = createUniverse(set, index, options);
  const determinants = determinantsOf(set, universe.cookies);
  const atoms = new Map(index.known.map((place, at) => [place, universe.atoms[at]!]));
  const seats = new Map<IpAddress, Seat>();
  const strangers = new Map<IpAddress, Seat>();
  const nobody = { egress: null, ingress: null };
  const memory = {
    egress: new Memory("egress", determinants),
    ingress: new Memory("ingress", determinants),
  };
  const judges = new Map<CompiledClass, Judge>();
  const hasLeases = (set.profile.dhcp ?? []).length > 0;
  const judgeOf = (workload: Workload, direction: Direction): Judge | null => {
    const found = universe.classOf(workload, direction);
    if (found === null) return null;
    let judge = judges.get(found);
    if (judge === undefined) judges.set(found, (judge = { ...found, prepared: [] }));
    return judge;
  };
  const silent: RowDecision = { verdict: defaultVerdict(set, "net"), cookie: DEFAULT_COOKIE };

  const seatOf = (address: IpAddress): Seat => {
    const known = seats.get(address) ?? strangers.get(address);
    if (known !== undefined) return known;
    const place = index.at(address);
    const { workload } = place;
    const own =
      workload === undefined
        ? nobody
        : { egress: judgeOf(workload, "egress"), ingress: judgeOf(workload, "ingress") };
    const subject = workload === undefined ? undefined : { ...place, workload };
    const seat: Seat = {
      place,
      subject,
      atom: atoms.get(place),
      judges: own,
      isOrdinary: place.kind === "workload" && place.workload.kind !== "node",
      isLoopback: isLoopback(place),
    };
    if (seat.atom !== undefined) seats.set(address, seat);
    else {
      if (strangers.size >= MOST_STRANGERS) strangers.clear();
      strangers.set(address, seat);
    }
    return seat;
  };

  const rowAt = (judge: Judge, there: Seat): PreparedRow | null => {
    const { atom, place } = there;
    if (atom === undefined) {
      return prepare(judge, segmentAt(judge.map.world, place)?.row ?? judge.map.elsewhere);
    }
    let row = judge.prepared[atom.number];
    if (row === undefined) {
      judge.prepared[atom.number] = row = prepare(judge, judge.map.rowOf(atom));
    }
    return row;
  };
  const prepare = ({ direction }: Judge, { base, conflicts }: TimedRow): PreparedRow | null =>
    conflicts.length > 0 ? null : memory[direction].row(base, universe.row);

  /** Null: the rows do not tell. */
  const judged = (
    here: Seat,
    there: Seat,
    flow: AtPort,
    direction: Direction,
  ): DirectionDecision | null => {
    const { subject } = here;
    const own = memory[direction];
    if (subject === undefined) return own.exempt("not-a-workload");
    // Who is at home nowhere special is exempt only from its own policy, or for an address that it wants to lease.
    const isPlainly = there.isOrdinary && there.place.workload !== subject.workload;
    if (!isPlainly || (hasLeases && flow.protocol === UDP)) {
      const exemption = exemptionOf(set.profile, subject, there.place, flow, direction, noProcess);
      if (exemption !== null) return own.exempt(exemption);
    }
    const judge = here.judges[direction];
    if (judge === null) return own.decided(silent);
    const row = rowAt(judge, there);
    return row === null ? null : decisionAt(row, flow);
  };

  return {
    set: universe.set,
    seatOf,
    allows(from, to, flow) {
      if (from.isLoopback || to.isLoopback) return null;
      const egress = judged(from, to, flow, "egress");
      const ingress = judged(to, from, flow, "ingress");
      if (egress === null || ingress === null) return null;
      return egress.verdict === "allow" && ingress.verdict === "allow";
    },
    decide(from, to, flow) {
      if (from.isLoopback || to.isLoopback) return null;
      const egress = judged(from, to, flow, "egress");
      const ingress = judged(to, from, flow, "ingress");
      if (egress === null || ingress === null) return null;
      const verdict = egress.verdict === "allow" ? ingress.verdict : egress.verdict;
      return { verdict, egress, ingress };
    },
  };
}

const noProcess = () => false;

/** Do compiled rows say all that the reference would? */
function isPlain({ stages, canary, ...set }: PolicySet, index: InventoryIndex): boolean {
  if (canary !== undefined || isConditional({ stages, ...set })) return false;
  if (index.contested.length > 0 || index.loopback !== undefined) return false;
  return stages.every(({ blocks }) =>
    blocks.every(({ rules }) =>
      rules.every(
        ({ action, peers }) =>
          action !== "log" && action !== "audit" && peers.every(({ kind }) => kind !== "domain"),
      ),
    ),
  );
}

function determinantsOf(
  { stages }: PolicySet,
  cookies: ReadonlyMap<string, Cookie>,
): ReadonlyMap<Cookie, Determinant> {
  const found = new Map<Cookie, Determinant>([[DEFAULT_COOKIE, { kind: "default" }]]);
  for (const stage of stages) {
    for (const block of stage.blocks) {
      // What is not active has no cookie here, and decides nothing.
      const cookie = cookies.get(block.id);
      if (cookie === undefined) continue;
      found.set(cookie, byIsolation(stage, block));
      for (const rule of block.rules) {
        const own = cookies.get(rule.id);
        if (own !== undefined) found.set(own, byRule(stage, { block, rule }));
      }
    }
  }
  return found;
}

/** A row with the decisions of one direction in it; ends of intervals side by side, for the search among them. */
interface PreparedRow {
  readonly protocols: readonly {
    readonly protocol: number;
    readonly lasts: Uint16Array;
    readonly decisions: readonly DirectionDecision[];
  }[];
  readonly others: DirectionDecision;
}

function decisionAt({ protocols, others }: PreparedRow, query: AtPort): DirectionDecision {
  for (const { protocol, lasts, decisions } of protocols) {
    if (protocol !== query.protocol) continue;
    let [low, high] = [0, lasts.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lasts[middle]! < query.port) low = middle + 1;
      else high = middle;
    }
    return decisions[low]!;
  }
  return others;
}

/** Rows and decisions of one direction, each made once. */
class Memory {
  readonly #direction: Direction;
  readonly #determinants: ReadonlyMap<Cookie, Determinant>;
  readonly #decided = new Map<RowDecision, DirectionDecision>();
  readonly #exempt = new Map<Exemption, DirectionDecision>();
  readonly #rows: (PreparedRow | undefined)[] = [];

  constructor(direction: Direction, determinants: ReadonlyMap<Cookie, Determinant>) {
    this.#direction = direction;
    this.#determinants = determinants;
  }

  row(number: number, rowAt: (number: number) => Omit<Row, "id">): PreparedRow {
    return (this.#rows[number] ??= this.#prepare(rowAt(number)));
  }

  #prepare({ protocols, others }: Omit<Row, "id">): PreparedRow {
    return {
      protocols: protocols.map(({ protocol, intervals }) => ({
        protocol,
        lasts: Uint16Array.from(intervals, ({ last }) => last),
        decisions: intervals.map(({ decision }) => this.decided(decision)),
      })),
      others: this.decided(others),
    };
  }

  decided(decision: RowDecision): DirectionDecision {
    let found = this.#decided.get(decision);
    if (found === undefined) {
      const { verdict, cookie } = decision;
      found = this.#plain(verdict, this.#determinants.get(cookie)!);
      this.#decided.set(decision, found);
    }
    return found;
  }

  exempt(exemption: Exemption): DirectionDecision {
    let found = this.#exempt.get(exemption);
    if (found === undefined) {
      found = this.#plain("allow", { kind: "exemption", exemption });
      this.#exempt.set(exemption, found);
    }
    return found;
  }

  #plain(verdict: RowDecision["verdict"], determinedBy: Determinant): DirectionDecision {
    return { direction: this.#direction, verdict, determinedBy, logged: [], ambiguous: false };
  }
}
