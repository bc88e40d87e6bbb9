/**
 * Clusters of the size of Antrea's published benchmark of its controller: from policy set and inventory to every PolicyMap of
 * them, what a process takes for it, and what one change costs afterwards. Each figure is from processes of its own
 * (`estate-process.ts`), with cold code. The peer is Antrea's published figure, from another machine: an order of magnitude.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { absolute, compared } from "./figure.ts";
import type { Figure } from "./figure.ts";

const ROUNDS = 3;
const PROCESS = join(import.meta.dirname, "estate-process.ts");

interface Compiled {
  readonly ms: number;
  readonly cpu: number;
  /** MiB: resident at most, and of the heap before, after, and after a collection. */
  readonly peak: number;
  readonly world: number;
  readonly heap: number;
  readonly kept: number;
  readonly maps: number;
  readonly entries: number;
}

interface Shares {
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

interface Changed extends Compiled {
  readonly pods: Shares;
  readonly policies: Shares;
}

function run<T>(...role: readonly string[]): T {
  const said = execFileSync(process.execPath, ["--expose-gc", PROCESS, ...role], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(said) as T;
}

const several = <T>(...role: readonly string[]): T[] =>
  Array.from({ length: ROUNDS }, () => run<T>(...role));

/** Seconds and MiB that Antrea's sources say, the least of each. */
const ANTREA = { small: { seconds: 5.84, mib: 1522 }, one: { seconds: 10.66, mib: 1157 } };

export function benchEstate(say: (line: string) => void): Figure[] {
  const figures: Figure[] = [];
  const compiled = (
    name: string,
    found: readonly Compiled[],
    aim: number,
    peer: typeof ANTREA.one,
  ) => {
    const one = found[0]!;
    say(
      `bench: ${name}: ${one.maps} maps, ${one.entries} entries; heap before ${one.world.toFixed(0)} MiB`,
    );
    const of = (pick: (figure: Compiled) => number) => found.map(pick);
    figures.push(
      absolute(
        `estate/${name}, compiled`,
        "ms",
        of(({ ms }) => ms),
        { atMost: aim },
      ),
      compared(
        `estate/${name}, processor`,
        "s",
        of(({ cpu }) => cpu / 1000),
        "Antrea's, published",
        [peer.seconds],
      ),
      compared(
        `estate/${name}, resident at most`,
        "MiB",
        of(({ peak }) => peak),
        "Antrea's, published",
        [peer.mib],
      ),
      absolute(
        `estate/${name}, policies and inventory`,
        "MiB of heap",
        of(({ world }) => world),
      ),
      absolute(
        `estate/${name}, all maps besides`,
        "MiB of heap",
        of(({ kept, world }) => kept - world),
      ),
    );
  };
  const shops = several<Changed>("change", "shops");
  compiled("25k namespaces", shops, 600, ANTREA.small);
  figures.push(
    absolute(
      "estate/25k namespaces, resident",
      "MiB",
      shops.map(({ peak }) => peak),
      { atMost: 450 },
    ),
  );
  for (const [what, pick] of [
    ["one pod relabelled", (one: Changed) => one.pods],
    ["one policy edited", (one: Changed) => one.policies],
  ] as const) {
    const of = (part: keyof Shares) => shops.map((one) => pick(one)[part]);
    figures.push(
      absolute(`estate/${what}, p50`, "us", of("p50")),
      absolute(`estate/${what}, p99`, "us", of("p99"), { atMost: 1000 }),
      absolute(`estate/${what}, longest of 2,000`, "us", of("longest")),
    );
  }
  compiled("25k namespaces as Antrea's", several("compile", "antrea"), 600, ANTREA.small);
  compiled("10k policies, all select all", several("compile", "all"), 1000, ANTREA.one);
  const { ms, documents } = run<{ readonly ms: number; readonly documents: number }>(
    "read",
    "part",
  );
  figures.push(absolute(`estate/reading ${documents} documents, before`, "ms", [ms]));
  return figures;
}
