/**
 * Atoms: known addresses that every rule of the set treats alike, because their owners have the same identities and the
 * same prefixes hold them. Who joins or leaves an atom changes nothing but its members; only these moves, and atoms never
 * met before, are work for the classes (docs/decisions/0054).
 */
import { GROUP_RANGES, type IpRange } from "@bulkhead/model";
import { byAddress, ownersOf, type InventoryIndex, type Place } from "../inventory-index.ts";
import { prefixRanges, type CidrPeer } from "../matching.ts";
import { isLoopback, LOOPBACK, type SocketOwners } from "../socket-owners.ts";
import {
  segmentAt,
  subtractRanges,
  sweepRanges,
  type OwnedRange,
  type Segment,
} from "./address-sweep.ts";
import type { Identity, IdentityTable } from "./identity-table.ts";
import type { PeerTable } from "./peer-table.ts";

/** Stands among the numbers of prefixes for the ranges of broadcast and multicast, whatever the set says. */
export const GROUP = -1;
const GROUPS: readonly OwnedRange[] = GROUP_RANGES.map((range) => ({ range, owner: GROUP }));

export interface Atom {
  readonly number: number;
  /** Of everyone who claims the address; almost always one. */
  readonly identities: readonly Identity[];
  readonly isHost: boolean;
  /** Of the host's addresses: processes of the machine wait there. Each port once. */
  readonly sockets: readonly AtomSockets[];
  readonly isLoopback: boolean;
  /** Numbers of the prefixes that hold it, whomever they are meant for; GROUP among them. */
  readonly prefixes: readonly number[];
}

/** Ports whose owners policies cannot tell apart. */
export interface AtomSockets {
  /** Of everyone who claims the sockets; almost always one. */
  readonly identities: readonly Identity[];
  readonly ports: readonly Pick<SocketOwners, "protocol" | "port">[];
}

/** Addresses that nobody asks about one by one, and that still are the machine's. */
export interface RangeAtom extends IpRange {
  readonly atom: Atom;
}

/** Undefined: it was, or is now, an address of the world. */
export interface Move {
  readonly before: Atom | undefined;
  readonly after: Atom | undefined;
  /** Positions in `Moves.places`, ascending. */
  readonly members: readonly number[];
}

/** What became of addresses since the update before. */
export interface Moves {
  /** Sorted by address. */
  readonly places: readonly Place[];
  /** One for each way from an atom to another. */
  readonly groups: readonly Move[];
}

export class AtomTable {
  readonly #peers: PeerTable;
  readonly #byText = new Map<string, Atom>();
  #identities: IdentityTable | undefined;
  #given = 0;
  #ports = 0;
  #prefixes = "";
  #segments: readonly Segment[] = sweepRanges(GROUPS);
  #places: readonly Place[] = [];
  #atoms: readonly Atom[] = [];
  #loopback: readonly RangeAtom[] = [];
  #whole: Moves | undefined;

  constructor(peers: PeerTable) {
    this.#peers = peers;
  }

  /** Every known address, and position by position its atom. */
  get places(): readonly Place[] {
    return this.#places;
  }

  get atoms(): readonly Atom[] {
    return this.#atoms;
  }

  /** What of 127.0.0.0/8 is not among the places; sorted. The same list as before where it says the same. */
  get loopback(): readonly RangeAtom[] {
    return this.#loopback;
  }

  /** How many atoms there have been, and ports in them: what is remembered of them is never forgotten. */
  get given(): number {
    return this.#given + this.#ports;
  }

  /** These prefixes tell addresses apart from the next update on. True: known addresses may belong to other atoms by it. */
  adoptPrefixes(prefixes: readonly CidrPeer[]): boolean {
    const distinct = new Map(prefixes.map((peer) => [this.#peers.intern(peer).number, peer]));
    const numbers = [...distinct.keys()].toSorted((a, b) => a - b).join();
    if (numbers === this.#prefixes) return false;
    this.#prefixes = numbers;
    this.#segments = sweepRanges([
      ...GROUPS,
      ...[...distinct].flatMap(([owner, peer]) => ownedRanges(peer, owner)),
    ]);
    return true;
  }

  /**
   * `all`: places that are the same objects as before may belong elsewhere, too; so they may when the identities are others
   * than before.
   */
  update(
    { known, loopback }: Pick<InventoryIndex, "known" | "loopback">,
    identities: IdentityTable,
    all: boolean,
  ): Moves {
    const anew = all || identities !== this.#identities;
    if (identities !== this.#identities) this.#byText.clear();
    this.#identities = identities;
    const moves = new MoveList();
    const atoms: Atom[] = [];
    const [before, atomsBefore] = [this.#places, this.#atoms];
    let old = 0;
    for (const place of known) {
      for (; old < before.length && isBefore(before[old]!, place); old++) {
        moves.add(before[old]!, atomsBefore[old], undefined);
      }
      const same = old < before.length && before[old]!.address === place.address;
      const atomBefore = same ? atomsBefore[old] : undefined;
      const kept = same && !anew && before[old] === place;
      const atom = kept ? atomBefore! : this.#atomAt(place, identities);
      if (same) old++;
      atoms.push(atom);
      if (atom !== atomBefore) moves.add(place, atomBefore, atom);
    }
    for (; old < before.length; old++) moves.add(before[old]!, atomsBefore[old], undefined);
    this.#places = known;
    this.#atoms = atoms;
    this.#whole = undefined;
    const ranges = loopback === undefined ? [] : [...this.#loopbackRanges(loopback, identities)];
    if (!isSameRanges(this.#loopback, ranges)) this.#loopback = ranges;
    return moves;
  }

  /** As if every known address had just come. */
  whole(): Moves {
    if (this.#whole === undefined) {
      const moves = new MoveList();
      for (const [i, place] of this.#places.entries()) moves.add(place, undefined, this.#atoms[i]);
      this.#whole = moves;
    }
    return this.#whole;
  }

  /** The atom of addresses of this identity that no prefix holds. */
  bare(identity: Identity): Atom {
    return this.#atom({ identities: [identity], isHost: false, ...BARE }, []);
  }

  #atomAt(place: Place, table: IdentityTable): Atom {
    const isHost = place.kind === "host";
    const identities = isHost
      ? [table.host]
      : ownersOf(place).map((workload) => table.of(workload));
    const sockets = place.sockets.length === 0 ? BARE.sockets : grouped(place.sockets, table);
    return this.#atom(
      { identities, isHost, sockets, isLoopback: isLoopback(place) },
      segmentAt(this.#segments, place)?.owners ?? [],
    );
  }

  *#loopbackRanges(owners: readonly SocketOwners[], table: IdentityTable): Iterable<RangeAtom> {
    const whole = LOOPBACK[4];
    const sockets = grouped(owners, table);
    const said = { identities: [table.host], isHost: true, sockets, isLoopback: true };
    let from = whole.first;
    for (const segment of this.#segments) {
      if (segment.family !== 4 || segment.last < from || segment.first > whole.last) continue;
      const first = segment.first < from ? from : segment.first;
      const last = segment.last > whole.last ? whole.last : segment.last;
      if (from < first)
        yield { family: 4, first: from, last: first - 1n, atom: this.#atom(said, []) };
      yield { family: 4, first, last, atom: this.#atom(said, segment.owners) };
      from = last + 1n;
    }
    if (from <= whole.last) yield { ...whole, first: from, atom: this.#atom(said, []) };
  }

  #atom(said: Omit<Atom, "number" | "prefixes">, prefixes: readonly number[]): Atom {
    const sockets = said.sockets.map(({ identities, ports }) =>
      [numbersOf(identities), ...ports.map(({ protocol, port }) => `${protocol}/${port}`)].join(),
    );
    const text = [
      numbersOf(said.identities),
      prefixes.join(),
      said.isLoopback ? "loopback" : "",
      ...sockets,
    ].join(" ");
    let atom = this.#byText.get(text);
    if (atom === undefined) {
      atom = { number: this.#given++, ...said, prefixes };
      for (const { ports } of said.sockets) this.#ports += ports.length;
      this.#byText.set(text, atom);
    }
    return atom;
  }
}

const BARE: Pick<Atom, "sockets" | "isLoopback"> = { sockets: [], isLoopback: false };

function numbersOf(identities: readonly Identity[]): string {
  return identities.map(({ number }) => number).join("+");
}

function grouped(sockets: readonly SocketOwners[], table: IdentityTable): AtomSockets[] {
  const groups = new Map<string, AtomSockets & { readonly ports: SocketOwners[] }>();
  for (const socket of sockets) {
    const identities = socket.owners.map((owner) => table.atHost(owner));
    const text = numbersOf(identities);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { identities, ports: [socket] });
    else group.ports.push(socket);
  }
  return [...groups.values()];
}

function isSameRanges(a: readonly RangeAtom[], b: readonly RangeAtom[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ atom, first }, i) => atom === b[i]!.atom && first === b[i]!.first)
  );
}

/** Collects moves; to be filled in the order of addresses. */
class MoveList implements Moves {
  readonly places: Place[] = [];
  readonly groups: (Move & { readonly members: number[] })[] = [];
  readonly #byEnds = new Map<Atom | undefined, Map<Atom | undefined, number[]>>();

  add(place: Place, before: Atom | undefined, after: Atom | undefined): void {
    let fromHere = this.#byEnds.get(before);
    if (fromHere === undefined) this.#byEnds.set(before, (fromHere = new Map()));
    let members = fromHere.get(after);
    if (members === undefined) {
      members = [];
      fromHere.set(after, members);
      this.groups.push({ before, after, members });
    }
    members.push(this.places.length);
    this.places.push(place);
  }
}

function isBefore(a: Place, b: Place): boolean {
  return a !== b && byAddress(a, b) < 0;
}

export function ownedRanges(peer: CidrPeer, owner: number): OwnedRange[] {
  const { prefix, except } = prefixRanges(peer);
  return subtractRanges(prefix, except).map((range) => ({ range, owner }));
}
