/**
 * What can be read of a policy that has errors, so that everything else wrong with it is told in the same run: rules in
 * order stay, rules with errors go, and what says nothing about traffic is replaced. Never to be put in force, and
 * nothing at all where the errors leave open what was meant: `teir: emergency` may have been meant.
 */
import type { MapEntry, MapNode, TreeNode } from "./text/document.ts";
import { nearest } from "./text/near.ts";
import { createReader, type Reader } from "./text/reader.ts";

/** Their fields decide who may talk to whom. The lists are of parts that each stand for themselves. */
const KINDS: Readonly<
  Record<string, { readonly keys: readonly string[]; readonly lists: readonly string[] }>
> = {
  Policy: {
    keys: ["tier", "priority", "mode", "subject", "ingress", "egress"],
    lists: ["ingress", "egress"],
  },
  NetworkPolicy: {
    keys: ["podSelector", "policyTypes", "ingress", "egress"],
    lists: ["ingress", "egress"],
  },
  Intent: { keys: ["from", "to", "ports", "mode"], lists: [] },
  Exception: { keys: ["from", "to", "ports"], lists: [] },
  NetworkSet: { keys: ["cidrs"], lists: ["cidrs"] },
};
/** These say nothing about traffic. */
const ASIDE = ["owner", "reason", "expires"];
const NEEDED_ASIDE: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  Exception: [
    ["owner", "unread"],
    ["reason", "unread"],
    ["expires", "9999-12-31T00:00:00Z"],
  ],
};

type ReadWhole<T> = (map: MapNode, at: Reader) => T | undefined;

/** `read` is the reader of the whole object that failed. */
export const readPartly = <T>(
  map: MapNode,
  kind: string,
  read: ReadWhole<T>,
  reader: Reader,
): T | undefined => {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  const spec = map.entries.find(({ key }) => key === "spec")?.value;
  if (known === undefined || spec?.kind !== "map") return undefined;
  const misspelt = spec.entries.some(
    ({ key }) =>
      !known.keys.includes(key) && !ASIDE.includes(key) && nearest(key, known.keys) !== null,
  );
  if (misspelt) return undefined;
  // Its mistakes were told already.
  const silent = createReader(reader.span, [], reader.nullIsAbsent);
  const withSpec = (entries: readonly MapEntry[], metadata: MapEntry | undefined): MapNode => ({
    ...map,
    entries: map.entries.flatMap((entry) => {
      if (entry.key === "metadata") return metadata === undefined ? [] : [metadata];
      if (entry.key === "spec") return [{ ...entry, value: { ...spec, entries } }];
      return entry.key === "apiVersion" || entry.key === "kind" ? [entry] : [];
    }),
  });
  const aside = (NEEDED_ASIDE[kind] ?? []).map(([key, text]) => standIn(key, text, spec));
  const subjects = kind === "Policy" ? [standIn("subject", "unread=unread", spec)] : [];
  const unnamed: MapEntry = {
    key: "metadata",
    keyExtent: map,
    value: { ...map, entries: [standIn("name", "unread", map)] },
  };
  const sound = (entry: MapEntry, item: TreeNode): boolean => {
    const one = { ...entry, value: { ...entry.value, kind: "list" as const, items: [item] } };
    return read(withSpec([...subjects, one], unnamed), silent) !== undefined;
  };
  const parts = spec.entries.flatMap((entry): MapEntry[] => {
    const { key, value } = entry;
    if (!known.keys.includes(key)) return [];
    if (!known.lists.includes(key) || value.kind !== "list") return [entry];
    return [
      { ...entry, value: { ...value, items: value.items.filter((one) => sound(entry, one)) } },
    ];
  });
  const own = map.entries.find(({ key }) => key === "metadata");
  const unselected = [...parts.filter(({ key }) => key !== "subject"), ...subjects];
  for (const entries of subjects.length === 0 ? [parts] : [parts, unselected]) {
    for (const metadata of [own, unnamed]) {
      const found = read(withSpec([...entries, ...aside], metadata), silent);
      if (found !== undefined) return found;
    }
  }
  return undefined;
};

const standIn = (key: string, text: string, place: TreeNode): MapEntry => {
  const { start, end } = place;
  const value = { kind: "scalar", value: text, text, verbatim: false, textStart: start } as const;
  return { key, keyExtent: { start, end }, value: { ...value, start, end } };
};
