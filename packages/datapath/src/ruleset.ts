/**
 * A ruleset as data: what the renderer wants and what a listing of the kernel says, in one shape, so that both can
 * be compared piece by piece. Rules are text in exactly the form in which `nft -p -y list` prints them; element keys
 * are numeric text in canonical form (`10.0.0.5`, `10.0.0.0-10.0.0.255 . 6 . 80-90`).
 */

import type { CgroupPath } from "@bulkhead/model";

/** One element of a set or map. */
export interface Element {
  readonly key: string;
  /** Keys that begin with a control group: its path. The kernel's number stands in the key once it is bound (`bindings.ts`). */
  readonly cgroup?: CgroupPath;
  /** How nft wants the key where it does not take what it prints. */
  readonly written?: string;
  /** Verdict of a map element: `goto le_row_1f`, `jump …`; absent in sets. */
  readonly value?: string;
  readonly comment?: string;
  /** When the kernel will forget it, milliseconds since the epoch. */
  readonly deadline?: number;
}

export interface ElementSet {
  readonly name: string;
  readonly kind: "set" | "map";
  /** `ipv4_addr : verdict`. */
  readonly type: string;
  /** Sorted: `dynamic`, `interval`, `timeout`. */
  readonly flags: readonly string[];
  readonly size?: number;
  /** Default lifetime of elements, as nft prints it (`2s`). */
  readonly timeout?: string;
  /** By key. Elements of dynamic sets come and go by themselves and are not kept here. */
  readonly elements: ReadonlyMap<string, Element>;
}

export interface Chain {
  readonly name: string;
  /** Base chains: `type filter hook forward priority 0; policy accept;`. */
  readonly base?: string;
  readonly rules: readonly string[];
}

/** Numbers of control groups, which nft can neither read nor delete one by one. */
export const isOfCgroups = ({ type }: ElementSet): boolean => type.startsWith("cgroupsv2");

export const TABLE_FAMILIES = ["inet", "netdev", "bridge"] as const;
export type TableFamily = (typeof TABLE_FAMILIES)[number];

export interface Table {
  readonly family: TableFamily;
  readonly name: string;
  readonly comment?: string;
  /** Table flags such as `dormant`; we never set one. */
  readonly flags: readonly string[];
  readonly counters: ReadonlySet<string>;
  readonly sets: ReadonlyMap<string, ElementSet>;
  readonly chains: ReadonlyMap<string, Chain>;
  /** Kinds of object we never write (quotas, limits, helpers, flowtables), as found. */
  readonly strangers: readonly string[];
}

/** Ours: at most one table of each family. */
export type Ruleset = { readonly [family in TableFamily]?: Table };

export const TABLE_NAME = "bulkhead";

/** Collects one table piece by piece; names are unique by construction. */
export class TableBuilder {
  readonly #family: Table["family"];
  readonly #comment: string;
  readonly #counters = new Set<string>();
  readonly #sets = new Map<string, ElementSet>();
  readonly #chains = new Map<string, Chain>();

  constructor(family: Table["family"], comment: string) {
    this.#family = family;
    this.#comment = comment;
  }

  counter(name: string): string {
    this.#counters.add(name);
    return name;
  }

  has(chain: string): boolean {
    return this.#chains.has(chain);
  }

  chain(name: string, rules: readonly string[], base?: string): string {
    if (this.#chains.has(name)) throw new Error(`chain ${name} is written twice`);
    this.#chains.set(name, { name, rules, ...(base === undefined ? {} : { base }) });
    return name;
  }

  set(declaration: Omit<ElementSet, "elements">, elements: Iterable<Element> = []): string {
    const { name } = declaration;
    if (this.#sets.has(name)) throw new Error(`set ${name} is written twice`);
    const byKey = new Map<string, Element>();
    for (const element of elements) {
      if (byKey.has(element.key)) throw new Error(`set ${name} holds ${element.key} twice`);
      byKey.set(element.key, element);
    }
    this.#sets.set(name, { ...declaration, elements: byKey });
    return name;
  }

  build(): Table {
    return {
      family: this.#family,
      name: TABLE_NAME,
      comment: this.#comment,
      flags: [],
      counters: this.#counters,
      sets: this.#sets,
      chains: this.#chains,
      strangers: [],
    };
  }
}

/**
 * A hash with a known size is looked up faster than one that grows. Twice what it holds, so that all its elements can be
 * replaced in one transaction; a power of two, so that few changes of a policy change it.
 */
export const hashSize = (elements: number): number =>
  2 ** Math.ceil(Math.log2(Math.max(16, elements * 2)));

/** Addresses of one family on one machine; sets that cannot be rebuilt aside have this size from the start. */
export const LOCAL_ADDRESSES = 4096;

const withAll = (ruleset: Ruleset, more: Partial<Table>): Ruleset =>
  Object.fromEntries(
    Object.entries(ruleset).map(([family, table]) => [family, { ...table, ...more }]),
  );

/** The same ruleset under another marker. */
export const withComment = (ruleset: Ruleset, comment: string): Ruleset =>
  withAll(ruleset, { comment });

/** The same ruleset in tables of another name. */
export const withName = (ruleset: Ruleset, name: string): Ruleset => withAll(ruleset, { name });
