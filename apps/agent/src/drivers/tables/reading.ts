/**
 * What the kernel holds of ours, as rulesets: listed, parsed, and refused where it is another agent's. The last listing is kept for
 * as long as nobody commits a change of rules.
 */
import {
  TABLE_NAME,
  currentVersions,
  ownCounters,
  parseCounters,
  parseListings,
  parseMarker,
  sumCounters,
} from "@bulkhead/datapath";
import type { CounterReading, Marker, Ruleset, TableFamily, Versions } from "@bulkhead/datapath";
import { rulesetGeneration } from "../../kernel/generation.ts";
import { insideNetns } from "../../kernel/netns.ts";
import { DriverError } from "../driver-error.ts";
import type { HostCommands } from "../host-commands.ts";
import { fromNft } from "./nft-error.ts";

export interface Found {
  readonly ruleset: Ruleset;
  readonly marker: Marker | null;
  readonly readAt: number;
}

export interface Reading {
  /** The kernel's number of the last change of rules, whoever made it. */
  generation(): number;
  find(): Promise<Found>;
  /** What was found last, if nobody has changed any rules since. */
  recall(): Promise<Found>;
  forget(): void;
  /** The names under which the kernel held look-ups when it was read last. */
  readonly versions: Versions;
  counters(): Promise<CounterReading[]>;
  /** Whether there is a table of our name, whoever's it is. */
  isThere(): Promise<boolean>;
}

export interface ReadingDeps {
  readonly host: HostCommands;
  readonly owner: string;
  readonly now: () => number;
  readonly netns: string | undefined;
  /** What our tables are called; absent = as those of look-ups are. */
  readonly table?: string;
  /** May a listing hold numbers of control groups? */
  readonly mayNameGroups: () => boolean;
}

const MISSING = /No such file or directory/;
/** A kernel may have been built without bridges; then there is none to guard. */
const WITHOUT = /not supported/;

const isMissing = (family: TableFamily, said: string): boolean =>
  MISSING.test(said) || (family === "bridge" && WITHOUT.test(said));
/** Protocols and priorities as numbers, whatever /etc/protocols says. */
const LIST = ["-p", "-y", "list"];

export const createReading = (deps: ReadingDeps): Reading => {
  const { host, owner, now, netns, table: name = TABLE_NAME } = deps;
  let seen: { readonly found: Found; readonly generation: number } | null = null;
  let versions: Versions = {};

  const generation = (): number =>
    netns === undefined ? rulesetGeneration().id : insideNetns(netns, () => rulesetGeneration().id);

  const list = async (family: TableFamily): Promise<string> => {
    const asked = [...LIST, "table", family, name];
    const { code, stdout, stderr } = await (family === "inet" && deps.mayNameGroups()
      ? host.nftBlind(asked)
      : host.nft(asked));
    if (code === 0) return stdout;
    if (isMissing(family, stderr)) return "";
    throw fromNft(stderr);
  };

  const read = async (): Promise<Found> => {
    const began = now();
    const [inet, netdev, bridge] = await Promise.all([
      list("inet"),
      list("netdev"),
      list("bridge"),
    ]);
    // The kernel was read at some moment in between, which on a busy machine is neither end.
    const readAt = Math.round((began + now()) / 2);
    const ruleset = parseListings({ inet, netdev, bridge }, readAt, host.interfaces());
    for (const table of Object.values(ruleset)) {
      const marker = parseMarker(table.comment ?? "");
      if (marker?.owner !== owner)
        throw new DriverError(
          "owned-by-another",
          `table ${table.family} ${table.name} belongs to ${marker === null ? "somebody else" : `another agent (${marker.owner})`}; it is left alone`,
        );
    }
    const comment = (ruleset.inet ?? ruleset.netdev ?? ruleset.bridge)?.comment;
    return { ruleset, marker: comment === undefined ? null : parseMarker(comment), readAt };
  };

  const find = async (): Promise<Found> => {
    const before = generation();
    const found = await read();
    versions = currentVersions(found.ruleset);
    seen = before === generation() ? { found, generation: before } : null;
    return found;
  };

  return {
    generation,
    find,
    recall: async () =>
      seen !== null && seen.generation === generation() ? seen.found : await find(),
    forget: () => {
      seen = null;
    },
    get versions() {
      return versions;
    },
    async counters() {
      // All tables at once: three programs would cost three times as much as what they do.
      const { code, stdout, stderr } = await host.nft([...LIST, "counters"]);
      if (code !== 0) throw fromNft(stderr);
      return sumCounters(parseCounters(ownCounters(stdout, name)));
    },
    async isThere() {
      const { stdout } = await host.nft(["list", "tables"]);
      return stdout.split("\n").includes(`table inet ${name}`);
    },
  };
};
