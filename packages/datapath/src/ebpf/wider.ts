/**
 * What a table of disjoint prefixes says about a prefix that is not in it. While two policies are in the kernel beside each
 * other a look-up ends at the longest prefix of either, so each entry has to tell what both say there.
 */
import { cidrRange } from "@bulkhead/model";
import type { IpFamily } from "@bulkhead/model";

interface Held {
  readonly first: bigint;
  readonly last: bigint;
  readonly value: number;
}

/** `10.0.0.0/8`, or with the class in front that it belongs to: `7 10.0.0.0/8`. */
const parse = (name: string) => {
  const space = name.indexOf(" ");
  const { family, first, last } = cidrRange(name.slice(space + 1) as `${string}/${number}`);
  return { group: `${name.slice(0, space + 1)}${family satisfies IpFamily}`, first, last };
};

const sorted = (table: ReadonlyMap<string, number>): ReadonlyMap<string, readonly Held[]> => {
  const groups = new Map<string, Held[]>();
  for (const [name, value] of table) {
    const { group, first, last } = parse(name);
    const list = groups.get(group) ?? [];
    groups.set(group, list);
    list.push({ first, last, value });
  }
  for (const list of groups.values()) list.sort((a, b) => (a.first < b.first ? -1 : 1));
  return groups;
};

/** The value of the prefix that holds all of this one; 0: there is none. Looks at the table only when it is first asked. */
export const createWider = (table: ReadonlyMap<string, number>): ((name: string) => number) => {
  let groups: ReadonlyMap<string, readonly Held[]> | null = null;
  return (name) => {
    groups ??= sorted(table);
    const { group, first, last } = parse(name);
    const list = groups.get(group) ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((list[middle] as Held).last < first) low = middle + 1;
      else high = middle;
    }
    const found = list[low];
    return found !== undefined && found.first <= first && last <= found.last ? found.value : 0;
  };
};
