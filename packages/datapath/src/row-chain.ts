/**
 * A Row as a chain and its maps, and back. For each protocol the most common decision becomes the base, and what differs
 * from it comes first: a few ports or ranges as rules of their own (a compare is cheaper than a look-up), many single
 * ports in one hash of `protocol . port`, many ranges in an interval map. What remains is decided by protocol, then
 * by `others`.
 */
import type { ProtocolNumber, Row, RowDecision, RowInterval } from "@bulkhead/model";
import { parseLeaf, portRangesName, portsName, rowChain } from "./names.ts";
import type { Tree } from "./names.ts";
import { intervalsOf, mostCommon, sameDecision } from "./port-intervals.ts";
import { hasPorts, portLookups } from "./port-lookups.ts";
import { hashSize } from "./ruleset.ts";
import type { Element, ElementSet, Table, TableBuilder } from "./ruleset.ts";

/** So many differing intervals of one protocol are compared one by one. */
const FEW = 4;

/** The decision that covers most ports; where ports do not exist, the one at 0. */
const baseOf = (protocol: ProtocolNumber, intervals: readonly RowInterval[]): RowDecision => {
  const first = intervals[0];
  if (first === undefined) throw new Error(`protocol ${protocol} of a row has no intervals`);
  if (!hasPorts(protocol)) return first.decision;
  return mostCommon(intervals);
};

const portRange = ({ first, last }: { first: number; last: number }): string =>
  first === last ? `${first}` : `${first}-${last}`;

type NameLeaf = (decision: RowDecision) => string;

/** What of one protocol differs from its base, in the three forms it can take. */
interface Exceptions {
  readonly rules: readonly string[];
  readonly hashed: readonly RowInterval[];
  readonly ranged: readonly RowInterval[];
}

const split = (
  protocol: ProtocolNumber,
  differing: readonly RowInterval[],
  leaf: NameLeaf,
): Exceptions => {
  if (hasPorts(protocol) && differing.length <= FEW) {
    const rules = differing.flatMap((interval) =>
      portLookups(
        [protocol],
        (port) => `${port} ${portRange(interval)}`,
        `goto ${leaf(interval.decision)}`,
      ),
    );
    return { rules, hashed: [], ranged: [] };
  }
  return {
    rules: [],
    hashed: differing.filter(({ first, last }) => first === last),
    ranged: differing.filter(({ first, last }) => first !== last),
  };
};

/** Writes the row's chain and maps for one look-up tree; `leaf` names (and remembers) a decision's chain. */
export const writeRow = (table: TableBuilder, tree: Tree, row: Row, leaf: NameLeaf): void => {
  const direct: string[] = [];
  const hashed: Element[] = [];
  const withHash: ProtocolNumber[] = [];
  const ranges: string[] = [];
  const bases: string[] = [];
  for (const { protocol, intervals } of row.protocols) {
    const base = baseOf(protocol, intervals);
    const parts = split(
      protocol,
      intervals.filter(({ decision }) => !sameDecision(decision, base)),
      leaf,
    );
    direct.push(...parts.rules);
    for (const { first, decision } of parts.hashed)
      hashed.push({ key: `${protocol} . ${first}`, value: `goto ${leaf(decision)}` });
    if (parts.hashed.length > 0) withHash.push(protocol);
    if (parts.ranged.length > 0) {
      const name = table.set(
        {
          name: portRangesName(tree, row.id, protocol),
          kind: "map",
          type: "inet_service : verdict",
          flags: ["interval"],
        },
        parts.ranged.map((interval) => ({
          key: portRange(interval),
          value: `goto ${leaf(interval.decision)}`,
        })),
      );
      ranges.push(...portLookups([protocol], (port) => port, `vmap @${name}`));
    }
    if (!sameDecision(base, row.others)) bases.push(`ct protocol ${protocol} goto ${leaf(base)}`);
  }
  const exact: string[] = [];
  if (hashed.length > 0) {
    const name = table.set(
      {
        name: portsName(tree, row.id),
        kind: "map",
        type: "inet_proto . inet_service : verdict",
        flags: [],
        size: hashSize(hashed.length),
      },
      hashed,
    );
    exact.push(...portLookups(withHash, (port) => `ct protocol . ${port}`, `vmap @${name}`));
  }
  // ICMP errors about connections come last: they are few.
  const rules = [...direct, ...exact, ...ranges];
  const isError = (rule: string): boolean => /^meta l4proto (1|58) ct protocol (?!\1 )/.test(rule);
  table.chain(rowChain(tree, row.id), [
    ...rules.filter((rule) => !isError(rule)),
    ...rules.filter(isError),
    ...bases,
    `goto ${leaf(row.others)}`,
  ]);
};

const decisionOf = (verdict: string | undefined): RowDecision | null => {
  if (verdict === undefined || !verdict.startsWith("goto ")) return null;
  const leaf = parseLeaf(verdict.slice(5));
  return leaf === null ? null : { verdict: leaf.verdict, cookie: leaf.cookie };
};

const elementsOf = (set: ElementSet | undefined): Iterable<Element> => set?.elements.values() ?? [];

const BASE = /^ct protocol (\d+) goto (\S+)$/;
/** A port compared by a rule: with its protocol, and, for ICMP, with the connection's. */
const DIRECT =
  /^meta l4proto (\d+)(?: ct protocol (\d+))? ct (?:reply proto-src|original proto-dst) (\d+(?:-\d+)?) goto (\S+)$/;

/** The row that a chain means, or null when the chain is not one of ours. */
export const readRow = (table: Table, tree: Tree, id: string): Row | null => {
  const rules = table.chains.get(rowChain(tree, id))?.rules ?? [];
  const others = decisionOf(rules.at(-1));
  if (others === null) return null;
  const bases = new Map<ProtocolNumber, RowDecision>();
  const exceptions = new Map<ProtocolNumber, RowInterval[]>();
  const note = (protocol: number, range: string, verdict: string | undefined): boolean => {
    const decision = decisionOf(verdict);
    const [first, last = first] = range.split("-").map(Number);
    if (decision === null || first === undefined || last === undefined) return false;
    const list = exceptions.get(protocol) ?? [];
    exceptions.set(protocol, list);
    list.push({ first, last, decision });
    return true;
  };
  for (const rule of rules) {
    const base = BASE.exec(rule);
    const decision = base === null ? null : decisionOf(`goto ${base[2]}`);
    if (base !== null && decision !== null) bases.set(Number(base[1]), decision);
    const direct = DIRECT.exec(rule);
    if (direct === null) continue;
    const [, packet, connection = packet, range = "", leaf] = direct;
    // The rules for ICMP errors say the same again.
    if (connection !== packet) continue;
    if (!note(Number(packet), range, `goto ${leaf}`)) return null;
  }
  for (const { key, value } of elementsOf(table.sets.get(portsName(tree, id)))) {
    const [protocol, port] = key.split(" . ");
    if (protocol === undefined || port === undefined) return null;
    if (!note(Number(protocol), port, value)) return null;
  }
  const rangePrefix = portRangesName(tree, id, 0).slice(0, -1);
  for (const set of table.sets.values()) {
    if (!set.name.startsWith(rangePrefix)) continue;
    for (const { key, value } of set.elements.values())
      if (!note(Number(set.name.slice(rangePrefix.length)), key, value)) return null;
  }
  const listed = [...new Set([...bases.keys(), ...exceptions.keys()])].toSorted((a, b) => a - b);
  const protocols = listed
    .map((protocol) => ({
      protocol,
      intervals: intervalsOf(bases.get(protocol) ?? others, exceptions.get(protocol) ?? []),
    }))
    .filter(({ intervals }) => intervals.some(({ decision }) => !sameDecision(decision, others)));
  return { id, protocols, others };
};
