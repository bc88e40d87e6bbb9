/**
 * What each rule permits beyond what it stands on, counted exactly over who is there now: `Slack` in the model says what a pair is,
 * and what the causes mean. Whoever has gone, and has another in his place, leaves his evidence to his role: then a pair of those
 * who are there is permitted, and was not used yet.
 *
 * Counted is by cells: a role of the source, a role of the destination and a port of the rule, since within a cell all are permitted
 * or none. That makes it as cheap as one pass over the edges.
 */
import {
  matches,
  SLACK_CAUSES,
  type Edge,
  type FlowEnd,
  type Slack,
  type SlackCause,
  type SuggestedPeer,
  type SuggestedPort,
  type SuggestedRule,
} from "@bulkhead/model";
import { groupBy } from "./order.ts";
import { addressesIn, type Present } from "./present.ts";
import type { DraftedRule } from "./rules.ts";

/** `doubtful`: what was set aside, and the rule permits all the same. */
export function withSlack(
  { rule, needs }: DraftedRule,
  doubtful: readonly Edge[],
  present: Present,
): SuggestedRule {
  const edges = needs.flatMap((need) => need.edges);
  return { ...rule, slack: slackOf(rule, edges, doubtful, present) };
}

/** All of them together: a pair that two permit counts in both. */
export function sumSlack(all: readonly Slack[]): Slack {
  const causes = new Map<SlackCause, number>();
  let [permitted, used] = [0, 0];
  for (const slack of all) {
    permitted += slack.permitted;
    used += slack.used;
    for (const { cause, pairs } of slack.beyond)
      causes.set(cause, (causes.get(cause) ?? 0) + pairs);
  }
  return { permitted, used, beyond: told(causes) };
}

function told(causes: ReadonlyMap<SlackCause, number>): Slack["beyond"] {
  return SLACK_CAUSES.flatMap((cause) => {
    const pairs = causes.get(cause) ?? 0;
    return pairs === 0 ? [] : [{ cause, pairs }];
  });
}

/** Those of a peer who are of one role, or all addresses of one set. */
interface Part {
  readonly key: string;
  readonly size: number;
}

/** One end of the pairs of a rule: into which parts it falls, and who is who. */
interface Side {
  readonly parts: readonly Part[];
  /** Every address of a set that is proposed is somebody. */
  readonly ofAddresses: boolean;
  readonly partOf: (end: FlowEnd) => string;
  /** Undefined of who has gone. */
  readonly whoIs: (end: FlowEnd) => string | undefined;
}

function sideOf(peer: SuggestedPeer, { grouping, kinds, ids, sets }: Present): Side {
  if (peer.kind === "workloads") {
    const { namespace, selector } = peer;
    const own = (kinds.get(namespace) ?? []).filter(({ labels }) => matches(selector, labels));
    const roleOf = (id: string): string => grouping.groupOf.get(id)?.id ?? "";
    return {
      parts: [...groupBy(own, ({ key }) => key)].map(([key, alike]) => ({
        key,
        size: alike.reduce((sum, { size }) => sum + size, 0),
      })),
      ofAddresses: false,
      partOf: ({ workload = "" }) => roleOf(workload),
      whoIs: ({ workload = "" }) => (ids.has(workload) ? workload : undefined),
    };
  }
  const key = peer.kind === "host" ? "host" : peer.name;
  const set = peer.kind === "host" ? undefined : sets.get(peer.name);
  return {
    parts: [{ key, size: set === undefined ? 1 : addressesIn(set) }],
    ofAddresses: set !== undefined,
    partOf: () => key,
    whoIs: set === undefined ? () => key : ({ address }) => address,
  };
}

interface Cell {
  /** Somebody, who may have gone, does it: it is what the rule is for. */
  needed: boolean;
  readonly used: Set<number>;
  readonly doubtful: Set<number>;
  /** Of addresses that were accepted. */
  readonly addresses: Set<number>;
}

function slackOf(
  rule: DraftedRule["rule"],
  accepted: readonly Edge[],
  doubtful: readonly Edge[],
  present: Present,
): Slack {
  const [from, to] = [sideOf(rule.from, present), sideOf(rule.to, present)];
  const seen = cellsOf(from, to, accepted, doubtful);
  const causes = new Map<SlackCause, number>();
  let [permitted, used] = [0, 0];
  const add = (cause: SlackCause, pairs: number): void => {
    causes.set(cause, (causes.get(cause) ?? 0) + pairs);
  };
  for (const source of from.parts) {
    for (const destination of to.parts) {
      // What somebody does with himself needs no rule.
      const themselves = source.key === destination.key ? source.size : 0;
      const pairs = source.size * destination.size - themselves;
      const cause = seen.causeOf(source, destination);
      for (const port of rule.ports) {
        permitted += pairs;
        const cell = seen.cellAt(source.key, destination.key, port);
        used += cell?.used.size ?? 0;
        add("doubtful", cell?.doubtful.size ?? 0);
        const rest = pairs - (cell?.used.size ?? 0) - (cell?.doubtful.size ?? 0);
        if (cell?.needed !== true) add(cause, rest);
        else {
          const fresh = freshAddresses([from, source], [to, destination], cell);
          add("addresses", fresh);
          add("copies", rest - fresh);
        }
      }
    }
  }
  return { permitted, used, beyond: told(causes) };
}

/** Pairs of a cell with an address that nobody of the role was accepted with; what is doubtful of them is told as that. */
function freshAddresses(
  [from, source]: readonly [Side, Part],
  [to, destination]: readonly [Side, Part],
  { addresses, doubtful }: Cell,
): number {
  if (!from.ofAddresses && !to.ofAddresses) return 0;
  const [inside, set] = to.ofAddresses ? [source, destination] : [destination, source];
  const addressOf = (pair: number): number =>
    to.ofAddresses ? pair % MOST_NUMBERS : Math.floor(pair / MOST_NUMBERS);
  const told = [...doubtful].filter((pair) => !addresses.has(addressOf(pair)));
  return inside.size * (set.size - addresses.size) - told.length;
}

/** A pair of numbers is one number. */
const MOST_NUMBERS = 2 ** 26;

function cellsOf(from: Side, to: Side, accepted: readonly Edge[], doubtful: readonly Edge[]) {
  const numbers = new Map<string, number>();
  const numberOf = (name: string): number => {
    const known = numbers.get(name) ?? numbers.size;
    numbers.set(name, known);
    return known;
  };
  const cells = new Map<string, Map<string, Map<number, Cell>>>();
  const portOf = ({ protocol, port }: SuggestedPort): number => protocol * 65_536 + port;
  const cellOf = (edge: Edge): Cell => {
    const [source, destination] = [from.partOf(edge.source), to.partOf(edge.destination)];
    const own = cells.get(source) ?? new Map<string, Map<number, Cell>>();
    cells.set(source, own);
    const ports = own.get(destination) ?? new Map<number, Cell>();
    own.set(destination, ports);
    const cell = ports.get(portOf(edge)) ?? emptyCell();
    ports.set(portOf(edge), cell);
    return cell;
  };
  const pairOf = ({ source, destination }: Edge): number | undefined => {
    const [one, other] = [from.whoIs(source), to.whoIs(destination)];
    if (one === undefined || other === undefined) return undefined;
    return numberOf(one) * MOST_NUMBERS + numberOf(other);
  };
  for (const edge of accepted) {
    const cell = cellOf(edge);
    cell.needed = true;
    if (from.ofAddresses) cell.addresses.add(numberOf(edge.source.address));
    if (to.ofAddresses) cell.addresses.add(numberOf(edge.destination.address));
    const pair = pairOf(edge);
    if (pair !== undefined) cell.used.add(pair);
  }
  const sources = new Set(cells.keys());
  const destinations = new Set([...cells.values()].flatMap((own) => [...own.keys()]));
  const related = new Set(
    [...cells].flatMap(([source, own]) => [...own.keys()].map((one) => `${source}\n${one}`)),
  );
  for (const edge of doubtful) {
    const cell = cellOf(edge);
    const pair = pairOf(edge);
    if (pair !== undefined && !cell.used.has(pair)) cell.doubtful.add(pair);
  }
  return {
    cellAt: (source: string, destination: string, port: SuggestedPort): Cell | undefined =>
      cells.get(source)?.get(destination)?.get(portOf(port)),
    /** Why a cell that nobody used is permitted. */
    causeOf: (source: Part, destination: Part): SlackCause => {
      if (related.has(`${source.key}\n${destination.key}`)) return "ports";
      return sources.has(source.key) && destinations.has(destination.key) ? "joined" : "everybody";
    },
  };
}

const emptyCell = (): Cell => ({
  needed: false,
  used: new Set(),
  doubtful: new Set(),
  addresses: new Set(),
});
