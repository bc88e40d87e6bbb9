/**
 * One policy set seen from every workload at once: the classes of all of them, and for any end of a connection the ports
 * that a class permits there. The compiler's own atoms and rows, so reachability cannot disagree with enforcement.
 */
import {
  allPorts,
  intersect,
  turnedPorts,
  type Cookie,
  type Direction,
  type PolicySet,
  type PortSet,
  type ProtocolNumber,
  type Row,
  type Workload,
} from "@bulkhead/model";
import { boundOf } from "../bounds.ts";
import { AtomTable, type Atom } from "../compile/atom-table.ts";
import { ClassShelf, createViewCompiler, type CompiledClass } from "../compile/compile-view.ts";
import { DecisionTable } from "../compile/decision-table.ts";
import { IdentityTable } from "../compile/identity-table.ts";
import { PeerTable } from "../compile/peer-table.ts";
import { readPolicySet } from "../compile/policy-reading.ts";
import { RowTable } from "../compile/row-table.ts";
import { isProcess, type InventoryIndex } from "../inventory-index.ts";
import { isActive, type DecideOptions } from "../judge-stage.ts";

export interface Universe {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** Of each of `index.known`, position by position. */
  readonly atoms: readonly Atom[];
  /** As if the workload had an address that no prefix holds. */
  bareAtom(workload: Workload): Atom;
  /** Does any policy ask about it, in either direction? */
  isSubject(workload: Workload): boolean;
  /** Null: nothing asks about it. */
  classOf(workload: Workload, direction: Direction): CompiledClass | null;
  /** Row number `row`, with the cookies of `cookies`. */
  readonly row: (row: number) => Omit<Row, "id">;
  /** By rule or block. */
  readonly cookies: ReadonlyMap<string, Cookie>;
  /** The ports that row number `row` permits. */
  permitted(row: number): PortSet;
  /** What is in both; remembered, for the sets of rows meet each other again and again. */
  both(a: PortSet, b: PortSet): PortSet;
}

export function createUniverse(
  set: PolicySet,
  index: InventoryIndex,
  options: DecideOptions,
): Universe {
  const frozen = freeze(set, options);
  const reading = readPolicySet(frozen, options.now);
  const peers = new PeerTable();
  const decisions = new DecisionTable(reading.cookies);
  const rows = new RowTable(decisions);
  const identities = new IdentityTable(reading.vocabulary);
  identities.adopt(index);
  const atoms = new AtomTable(peers);
  atoms.adoptPrefixes(reading.prefixes);
  atoms.update(index, identities, true);
  const context = { peers, now: options.now, decisions, rows };
  const compiler = createViewCompiler(reading.views.live, context, new ClassShelf());
  const ports = new Map<number, PortSet>();
  const met = new WeakMap<PortSet, WeakMap<PortSet, PortSet>>();
  return {
    set: frozen,
    index,
    atoms: atoms.atoms,
    bareAtom: (workload) =>
      atoms.bare(isProcess(workload) ? identities.atHost(workload) : identities.of(workload)),
    isSubject: (workload) => compiler.isSubject(identities.of(workload)),
    classOf: (workload, direction) =>
      isProcess(workload)
        ? compiler.classOfProcess(identities.of(workload), direction)
        : compiler.classOf(atoms.bare(identities.of(workload)).identities, direction),
    row: (row) => rows.at(row),
    cookies: reading.cookies,
    permitted(row) {
      let found = ports.get(row);
      if (found === undefined) ports.set(row, (found = permittedPorts(rows.at(row))));
      return found;
    },
    both(a, b) {
      if (a === b || b === allPorts) return a;
      if (a === allPorts) return b;
      let found = met.get(a)?.get(b);
      if (found === undefined) {
        found = intersect(a, b);
        const ofA = met.get(a) ?? new WeakMap<PortSet, PortSet>();
        met.set(a, ofA.set(b, found));
      }
      return found;
    },
  };
}

/** The set as it stands at one moment in one view: nothing staged, nothing that will expire, nothing that depends on requests. */
export function freeze(given: PolicySet, options: DecideOptions): PolicySet {
  const set = boundOf(given, options.assume ?? "best");
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks
        .filter((block) => isActive(block, options))
        .map((block) => ({
          ...block,
          expiresAt: undefined,
          enforce: "on" as const,
          rules: block.rules
            .filter((rule) => isActive(rule, options))
            .map((rule) => ({ ...rule, expiresAt: undefined, enforce: "on" as const })),
        })),
    })),
  };
}

/** Everything in a row that is allowed, as a canonical port set. */
export function permittedPorts(row: Omit<Row, "id">): PortSet {
  const others = row.others.verdict === "allow";
  if (row.protocols.length === 0 && others) return allPorts;
  const byProtocol: { protocol: ProtocolNumber; intervals: { first: number; last: number }[] }[] =
    [];
  for (const { protocol, intervals } of row.protocols) {
    const allowed: { first: number; last: number }[] = [];
    for (const { first, last, decision } of intervals) {
      if (decision.verdict !== "allow") continue;
      const previous = allowed.at(-1);
      if (previous !== undefined && previous.last + 1 === first) previous.last = last;
      else allowed.push({ first, last });
    }
    const everything =
      allowed.length === 1 && allowed[0]!.first === 0 && allowed[0]!.last === 0xffff;
    if (others ? !everything : allowed.length > 0)
      byProtocol.push({ protocol, intervals: allowed });
  }
  return turnedPorts({ byProtocol, others });
}
