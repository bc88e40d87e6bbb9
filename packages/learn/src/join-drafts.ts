/**
 * Two drafts as one: what that would add, and whether it may be. What is counted is by roles and ports, since within two roles and
 * a port all is permitted or nothing. Nothing that was set aside gets in, and nobody who is suspicious is given anything.
 */
import { join, mergeKey, type Draft, type Need } from "./drafts.ts";
import { JOINED_AT_MOST } from "./generality.ts";
import type { KeptCell, KeptOut } from "./kept-out.ts";
import { groupBy } from "./order.ts";

export type RuleEnd = Need["source"];
type SizeOf = (end: RuleEnd) => number;

export interface Joined {
  readonly draft: Draft;
  /** By what is weighed: who is not there now counts as one, since what he may is not for nothing. */
  readonly weight: number;
  /** Pairs of those who are there. */
  readonly added: number;
}

export type Join = (one: Draft, other: Draft) => Joined | undefined;

/** Two of one kind can be said as one rule: they are for the same, and one selector names the peers at either end. */
export function kindOf({ sources, destinations, rare, purpose, only }: Draft): string {
  const [from = "", to = ""] = [sources, destinations].map(([first]) => first && mergeKey(first));
  return [from, to, rare, purpose, only].join("\n\n");
}

/** Of two of one kind. Undefined where it may not be. */
export function createJoin(sizeOf: SizeOf, { cells, suspicious }: KeptOut): Join {
  const sizes = new Map<string, number>();
  const counted: SizeOf = (end) => {
    const size = sizes.get(end.key) ?? sizeOf(end);
    sizes.set(end.key, size);
    return size;
  };
  const weighed: SizeOf = (end) => Math.max(1, counted(end));
  const keptFrom = groupBy(cells, ({ source }) => source);
  const letsIn = (draft: Draft, one: Draft, other: Draft): boolean =>
    draft.sources.some(
      ({ key }) =>
        (suspicious.has(key) && gains(key, draft, one, other)) ||
        (keptFrom.get(key) ?? []).some(
          (cell) => holds(draft, cell) && !holds(one, cell) && !holds(other, cell),
        ),
    );
  return (one, other) => {
    const draft = join([one, other]);
    const needed = draft.needs.reduce(
      (sum, { source, destination }) => sum + pairsOf([source], [destination], 1, weighed),
      0,
    );
    const { sources, destinations, ports } = draft;
    const permitted = pairsOf(sources, destinations, ports.length, weighed);
    if (permitted > JOINED_AT_MOST * needed || letsIn(draft, one, other)) return undefined;
    return {
      draft,
      weight: addedBy(draft, one, other, weighed),
      added: addedBy(draft, one, other, counted),
    };
  };
}

function addedBy(draft: Draft, one: Draft, other: Draft, sizeOf: SizeOf): number {
  const pairs = ({ sources, destinations, ports }: Cells): number =>
    pairsOf(sources, destinations, ports.length, sizeOf);
  return pairs(draft) - pairs(one) - pairs(other) + pairs(shared(one, other));
}

type Cells = Pick<Draft, "sources" | "destinations" | "ports">;

function shared(one: Draft, other: Draft): Cells {
  const among = (own: readonly RuleEnd[], others: readonly RuleEnd[]): readonly RuleEnd[] => {
    const keys = new Set(others.map(({ key }) => key));
    return own.filter(({ key }) => keys.has(key));
  };
  return {
    sources: among(one.sources, other.sources),
    destinations: among(one.destinations, other.destinations),
    ports: one.ports.filter((port) => hasPort(other, port)),
  };
}

/** Nobody with himself. */
function pairsOf(
  sources: readonly RuleEnd[],
  destinations: readonly RuleEnd[],
  ports: number,
  sizeOf: SizeOf,
): number {
  const sum = (ends: readonly RuleEnd[]): number =>
    ends.reduce((total, end) => total + sizeOf(end), 0);
  const keys = new Set(destinations.map(({ key }) => key));
  const same = sources.filter(({ key }) => keys.has(key));
  return (sum(sources) * sum(destinations) - sum(same)) * ports;
}

/** Is a source given a destination or a port that neither of the two gives it? */
function gains(source: string, draft: Draft, one: Draft, other: Draft): boolean {
  const count = ({ destinations, ports }: Cells): number => destinations.length * ports.length;
  const had = [one, other].filter((draft) => draft.sources.some(({ key }) => key === source));
  const twice = had.length === 2 ? count(shared(one, other)) : 0;
  return count(draft) > had.reduce((sum, own) => sum + count(own), 0) - twice;
}

function holds(draft: Draft, cell: KeptCell): boolean {
  return (
    hasPort(draft, cell) &&
    draft.sources.some(({ key }) => key === cell.source) &&
    draft.destinations.some(({ key }) => key === cell.destination)
  );
}

const hasPort = (draft: Draft, { protocol, port }: Pick<KeptCell, "protocol" | "port">): boolean =>
  draft.ports.some((one) => one.protocol === protocol && one.port === port);
