/**
 * Whom a change affects: what a replay finds newly denied and newly allowed, an edge at a time, folded by the two parties,
 * and by what decided before and decides now. Holds a row for each of these and a limited number of edges, however long
 * the history is. Single flows behind a row are asked for afterwards, of whoever has them.
 */
import type { ReplayedEdge } from "@bulkhead/engine";
import {
  formatPort,
  type Affected,
  type Decision,
  type Determinant,
  type DirectionDecision,
  type Edge,
  type Inventory,
  type Tally,
} from "@bulkhead/model";
import { createParties, type EndParty } from "./parties.ts";

export interface Impact {
  readonly denied: Tally;
  readonly allowed: Tally;
  readonly unchanged: number;
  /** As they came; of very many, those of most connections. */
  readonly newlyDenied: readonly ReplayedEdge[];
  readonly newlyAllowed: readonly ReplayedEdge[];
  /** What is denied first, then by connections. */
  readonly affected: readonly Affected[];
  /** The edge that was seen last of each of `affected`, as it was recorded: where samples are looked for. */
  readonly examples: readonly Edge[];
}

export interface ImpactCounter {
  /** `recorded`: the edge as the store has it, where the change is about who its ends are now. */
  add(change: ReplayedEdge | null, recorded?: Edge): void;
  result(): Impact;
}

/** More ports of one row are a scan, and its number says it. */
const MOST_PORTS = 8;
/** Edges that are kept by themselves, of each kind. */
const MOST_EDGES = 10_000;

export function createImpact(inventory: Inventory): ImpactCounter {
  let partyOf: ReturnType<typeof createParties> | undefined;
  const rows = new Map<string, Row>();
  const kept = { denied: new Kept(), allowed: new Kept() };
  let unchanged = 0;
  return {
    add(change, recorded) {
      if (change === null) {
        unchanged++;
        return;
      }
      partyOf ??= createParties(inventory);
      const { edge } = change;
      const kind = change.after.verdict === "allow" ? "allowed" : "denied";
      kept[kind].add(change);
      const [source, destination] = [partyOf(edge.source), partyOf(edge.destination)];
      const [before, after] = [determinantOf(change.before), determinantOf(change.after)];
      const decided = `${determinantKey(before)}\n${determinantKey(after)}`;
      const key = `${kind}\n${source.name}\n${destination.name}\n${decided}`;
      let row = rows.get(key);
      if (row === undefined) {
        row = new Row({ change: kind, before, after, source, destination, edge: recorded ?? edge });
        rows.set(key, row);
      }
      row.add(source, destination, edge, recorded ?? edge);
    },
    result() {
      const sorted = [...rows.values()].toSorted(
        (a, b) =>
          Number(a.change === "allowed") - Number(b.change === "allowed") ||
          b.connections - a.connections ||
          b.lastSeen - a.lastSeen,
      );
      return {
        denied: kept.denied.tally(),
        allowed: kept.allowed.tally(),
        unchanged,
        newlyDenied: kept.denied.all(),
        newlyAllowed: kept.allowed.all(),
        affected: sorted.map((row) => row.affected()),
        examples: sorted.map(({ latest }) => latest),
      };
    },
  };
}

class Kept {
  readonly #edges: ReplayedEdge[] = [];
  #count = 0;
  #connections = 0;

  add(change: ReplayedEdge): void {
    this.#count++;
    this.#connections += change.edge.connections;
    this.#edges.push(change);
    // Twice as many, so that sorting is rare.
    if (this.#edges.length >= 2 * MOST_EDGES) this.#edges.splice(0, Infinity, ...this.all());
  }

  tally(): Tally {
    return { edges: this.#count, connections: this.#connections };
  }

  all(): readonly ReplayedEdge[] {
    return this.#count <= MOST_EDGES
      ? this.#edges
      : this.#edges
          .toSorted((a, b) => b.edge.connections - a.edge.connections)
          .slice(0, MOST_EDGES);
  }
}

class Side {
  readonly name: string;
  readonly #members = new Set<string>();
  readonly #owners = new Set<string>();

  constructor({ name }: EndParty) {
    this.name = name;
  }

  add({ member, owner }: EndParty): void {
    this.#members.add(member);
    if (owner !== undefined) this.#owners.add(owner);
  }

  party(): Affected["source"] {
    const { name } = this;
    return { name, owners: [...this.#owners].toSorted(), members: this.#members.size };
  }
}

interface Beginning extends Pick<Affected, "change" | "before" | "after"> {
  readonly source: EndParty;
  readonly destination: EndParty;
  readonly edge: Edge;
}

class Row {
  readonly change: Affected["change"];
  latest: Edge;
  connections = 0;
  lastSeen = Number.NEGATIVE_INFINITY;
  #firstSeen = Number.POSITIVE_INFINITY;
  #edges = 0;
  readonly #decided: Pick<Affected, "before" | "after">;
  readonly #source: Side;
  readonly #destination: Side;
  readonly #ports = new Map<string, number>();

  constructor({ change, before, after, source, destination, edge }: Beginning) {
    this.change = change;
    this.latest = edge;
    this.#decided = { before, after };
    this.#source = new Side(source);
    this.#destination = new Side(destination);
  }

  add(source: EndParty, destination: EndParty, edge: Edge, recorded: Edge): void {
    this.#source.add(source);
    this.#destination.add(destination);
    const port = formatPort(edge.protocol, edge.port);
    this.#ports.set(port, (this.#ports.get(port) ?? 0) + edge.connections);
    if (edge.lastSeen > this.lastSeen) [this.lastSeen, this.latest] = [edge.lastSeen, recorded];
    this.#firstSeen = Math.min(this.#firstSeen, edge.firstSeen);
    this.#edges++;
    this.connections += edge.connections;
  }

  affected(): Affected {
    const { change, connections, lastSeen } = this;
    const ports = [...this.#ports].toSorted(([, a], [, b]) => b - a).map(([port]) => port);
    return {
      change,
      source: this.#source.party(),
      destination: this.#destination.party(),
      ports: ports.slice(0, MOST_PORTS),
      portCount: ports.length,
      edges: this.#edges,
      connections,
      firstSeen: this.#firstSeen,
      lastSeen,
      ...this.#decided,
      samples: [],
    };
  }
}

/** What a person has to look at: what denies, or else the most telling of what allows. */
export function determinantOf({ egress, ingress }: Decision): Determinant {
  if (egress.verdict !== "allow") return egress.determinedBy;
  if (ingress.verdict !== "allow" || isWritten(ingress)) return ingress.determinedBy;
  return isWritten(egress) ? egress.determinedBy : ingress.determinedBy;
}

function isWritten({ determinedBy: { kind } }: DirectionDecision): boolean {
  return kind === "rule" || kind === "isolation";
}

/** A rule or block by its id; else what stands for one. */
export function determinantKey(by: Determinant): string {
  switch (by.kind) {
    case "rule":
      return by.rule;
    case "isolation":
      return by.block;
    case "default":
      return by.kind;
    case "exemption":
      return by.exemption;
  }
}
