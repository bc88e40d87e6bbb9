/**
 * Forms of policy: what the classes of many namespaces have in common once it is left out who is meant and what it is called.
 * A form is made ready and painted by the compiler's own parts, once, with positions in the place of names
 * (docs/decisions/0097).
 */
import type { Block, Direction, PolicySet } from "@bulkhead/model";
import { classProgram, type Coverage, type Program } from "../compile/class-program.ts";
import { DecisionTable } from "../compile/decision-table.ts";
import { RowTable } from "../compile/row-table.ts";
import { timedRow, type Claimant } from "../compile/timed-row.ts";
import type { BlockEntry } from "./block-entry.ts";
import { ClusterRows, placeOf, symbolOf, type PaintedRow } from "./cluster-rows.ts";
import type { Group } from "./roster.ts";

/** Whoever is at an address, with the rules that hold them there. */
export interface Claim {
  /** Positions in the rules of each program, ascending. */
  readonly ranks: readonly (readonly number[])[];
  /** On whom names of ports are resolved; undefined: on nobody. */
  readonly group?: Group | undefined;
  /** Those of the ranks, by program, that hold the address only by its prefix: there no name means anything (SEMANTICS trap 4). */
  readonly byPrefix?: readonly (readonly number[])[];
}

export interface Form {
  /** Forms with the same text are alike. */
  readonly text: string;
  /** One policy; several where several claim the subject's address. */
  readonly programs: readonly FormProgram[];
  /** Does any rule have names of ports to be resolved on its peers? */
  readonly hasNames: boolean;
  readonly rows: Map<string, PaintedRow>;
}

export interface FormProgram {
  readonly program: Program;
  /** By rank: position of the block among the class's entries, and of the rule in it. */
  readonly entryOf: readonly number[];
  readonly ruleOf: readonly number[];
}

/** The positions of one program's blocks among the entries of a class, and who its ingress names are resolved on. */
export interface Part {
  readonly entries: readonly number[];
  readonly subject: Group;
}

/** Blocks of all forms together, before they are forgotten. */
const MOST_REMEMBERED = 100_000;

export class FormTable {
  readonly rows = new ClusterRows();
  readonly #frame: PolicySet;
  readonly #texts = new Map<string, number>();
  readonly #forms = new Map<string, Form>();
  #remembered = 0;
  readonly #cookies = new Map<string, string>();
  readonly #decisions = new DecisionTable(this.#cookies);
  readonly #rowTable = new RowTable(this.#decisions);
  readonly #rowAt = (number: number) => this.#rowTable.at(number);

  /** Of the set only the profile and the stages count, not their blocks. */
  constructor(set: PolicySet) {
    this.#frame = { ...set, stages: set.stages.map((stage) => ({ ...stage, blocks: [] })) };
  }

  /** The number of a block's form, which this text says. */
  number(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) this.#texts.set(text, (number = this.#texts.size));
    return number;
  }

  /** `entries` each once, in the order in which stages look at them. */
  of(direction: Direction, entries: readonly BlockEntry[], parts: readonly Part[]): Form {
    let text: string = direction;
    for (const { form } of entries) text += ` ${form}`;
    if (parts.length > 1) text += `|${JSON.stringify(parts.map((part) => part.entries))}`;
    if (entries.some(({ names }) => names.length > 0)) {
      text += `|${JSON.stringify(parts.map((part) => namesOf(entries, part)))}`;
    }
    let form = this.#forms.get(text);
    if (form !== undefined) return form;
    // Whoever uses one has it; to find it again only saves work.
    this.#remembered += entries.length;
    if (this.#remembered > MOST_REMEMBERED) {
      this.#forms.clear();
      this.#remembered = entries.length;
    }
    form = this.#make(text, direction, entries, parts);
    this.#forms.set(text, form);
    return form;
  }

  row(form: Form, claims: readonly Claim[]): PaintedRow {
    const [first] = claims;
    const isPlain = claims.length === 1 && form.programs.length === 1 && !form.hasNames;
    const key = isPlain ? first!.ranks[0]!.join() : textOf(form, claims);
    let row = form.rows.get(key);
    if (row === undefined) form.rows.set(key, (row = this.#paint(form, claims)));
    return row;
  }

  #paint({ programs }: Form, claims: readonly Claim[]): PaintedRow {
    const readings = programs.flatMap(({ program }, part) =>
      claims.map((claim) => ({
        program,
        claimants: claim.ranks[part]!.flatMap((rank): Claimant[] => {
          const coverage = coverageOf(program, part, rank, claim);
          return coverage.length === 0 ? [] : [{ rank, coverage }];
        }),
      })),
    );
    // Nothing in a form expires.
    const { base } = timedRow(readings, 0, this.#decisions, this.#rowTable);
    return this.rows.painted(base, this.#rowAt);
  }

  #make(
    text: string,
    direction: Direction,
    entries: readonly BlockEntry[],
    parts: readonly Part[],
  ): Form {
    const symbolic = entries.map(({ block, rules }, at): Block => {
      this.#cookies.set(symbolOf(at), symbolOf(at));
      const named = rules.map((rule, number) => {
        const id = symbolOf(at, number);
        this.#cookies.set(id, id);
        return { ...rule, id, expiresAt: undefined };
      });
      return { ...block, id: symbolOf(at), expiresAt: undefined, rules: named };
    });
    const programs = parts.map((part): FormProgram => {
      const blocks = part.entries.map((at) => symbolic[at]!);
      const byStage = Map.groupBy(part.entries, (at) => entries[at]!.stage);
      const set = {
        ...this.#frame,
        stages: this.#frame.stages.map((stage, number) => ({
          ...stage,
          blocks: (byStage.get(number) ?? []).map((at) => symbolic[at]!),
        })),
      };
      const resolve = (name: string, protocol: number) => portsOf(part.subject, name, protocol);
      const decisions = this.#decisions;
      const program = classProgram({ set, direction, blocks, resolve, decisions });
      const places = program.rules.map(({ rule }) => placeOf(rule.id));
      return {
        program,
        entryOf: places.map(({ entry }) => entry),
        ruleOf: places.map(({ rule }) => rule),
      };
    });
    const hasNames = programs.some(({ program }) =>
      program.rules.some(({ named }) => named.length > 0),
    );
    return { text, programs, hasNames, rows: new Map() };
  }
}

function namesOf(entries: readonly BlockEntry[], { entries: own, subject }: Part) {
  return own.map((at) =>
    entries[at]!.names.map(({ name, protocol }) => portsOf(subject, name, protocol)),
  );
}

function portsOf({ workload }: Group, name: string, protocol: number): number[] {
  return workload.namedPorts
    .filter((port) => port.name === name && port.protocol === protocol)
    .map(({ port }) => port)
    .toSorted((a, b) => a - b);
}

function coverageOf(
  program: Program,
  part: number,
  rank: number,
  { group, byPrefix = [] }: Claim,
): readonly Coverage[] {
  const { coverage, named } = program.rules[rank]!;
  if (named.length === 0 || group === undefined) return coverage;
  if (byPrefix[part]?.includes(rank) === true) return coverage;
  const resolved = named.flatMap(({ name, protocol }) =>
    portsOf(group, name, protocol).map((port) => ({ protocol, first: port, last: port })),
  );
  return [...coverage, ...resolved];
}

function textOf({ programs, hasNames }: Form, claims: readonly Claim[]): string {
  return JSON.stringify(
    claims.map((claim) => [
      claim.ranks,
      hasNames
        ? claim.ranks.map((own, part) =>
            own.map((rank) => coverageOf(programs[part]!.program, part, rank, claim)),
          )
        : [],
    ]),
  );
}
