/** Maps and guards as found in the kernel → the policy that they hold, and whatever is no part of it. */
import {
  adopt,
  compareRulesets,
  effectiveAt,
  mapsOf,
  planTables,
  readGuards,
  readTables,
  tablesOf,
} from "@bulkhead/datapath";
import type { Clocks, EbpfChange, EbpfRawMaps, EbpfTables, Ruleset } from "@bulkhead/datapath";
import type { HostPolicy } from "@bulkhead/model";
import type { FoundInKernel } from "../read-back.ts";

export interface Found {
  readonly raw: EbpfRawMaps;
  readonly ruleset: Ruleset;
  readonly readAt: number;
}

const keyText = (key: Uint8Array): string => Buffer.from(key).toString("hex");

/** What would have to be written for the tables to be those of the policy. */
const entryDifferences = (
  spelling: "as given" | "as read",
  tables: EbpfTables,
  epoch: number,
  policy: HostPolicy,
  clocks: Clocks,
): string[] => {
  const registry = adopt(tables, policy);
  const wanted = tablesOf(policy, registry, tables);
  const plan = planTables(tables, wanted, epoch, registry, clocks);
  const counts = ({ map }: EbpfChange): boolean => spelling === "as given" || !PREFIXES.has(map);
  const prepare = plan.prepare.filter(counts);
  const cleanup = plan.cleanup.filter(counts);
  const gone = new Set(cleanup.map(({ map, key }) => `${map} ${keyText(key)}`));
  const differ = prepare
    .filter(({ map, key }) => map !== "settings" && !gone.has(`${map} ${keyText(key)}`))
    .map(({ map, key }) => `entry ${keyText(key)} of ${map} is missing, or says something else`);
  const added = cleanup.map(
    ({ map, key }) => `entry ${keyText(key)} of ${map} is there and should not be`,
  );
  return JSON.stringify(tables.settings) === JSON.stringify(wanted.settings)
    ? [...differ, ...added]
    : [...differ, ...added, "the settings of the maps are others"];
};

/** Ranges that touch read as one, and one falls into other prefixes than they did: who knows no more does not go by prefixes. */
const PREFIXES: ReadonlySet<string> = new Set(["ranges4", "ranges6", "timed4", "timed6"]);

/** `expected`: the guards that should be there for a policy. */
export const policyOfMaps = (
  { raw, ruleset, readAt }: Found,
  applied: HostPolicy | null,
  clocks: Clocks,
  expected: (policy: HostPolicy) => Ruleset,
): FoundInKernel => {
  const { tables, epoch, differences } = readTables(raw, clocks);
  const records = readGuards(ruleset);
  if (epoch === 0 && ruleset.inet === undefined)
    return { policy: null, differences: ["nothing of this driver is in force"], readAt };
  if (typeof records === "string") return { policy: null, differences: [records], readAt };
  const at = (moment: number) => mapsOf(tables, moment);
  const { maps, differences: unsound } = at(readAt);
  const policyWith = (read: typeof maps): HostPolicy => ({
    revision: applied?.revision ?? 0,
    ...records,
    ...read,
  });
  // Entries that have ended stay until the next change; they are part of what was written.
  const reference = applied ?? policyWith(at(Number.NEGATIVE_INFINITY).maps);
  const entries =
    unsound.length > 0
      ? []
      : entryDifferences(
          applied === null ? "as read" : "as given",
          tables,
          epoch,
          reference,
          clocks,
        );
  const guards = compareRulesets(ruleset, expected(reference), readAt);
  const isAsApplied = applied !== null && entries.length + unsound.length === 0;
  const policy = isAsApplied
    ? // The same entries, in the words in which they were given: ranges that touch are one in the maps.
      { ...effectiveAt(applied, readAt), contested: [], ...records }
    : policyWith(maps);
  return {
    policy,
    differences: [...differences, ...unsound, ...entries, ...guards],
    readAt,
  };
};
