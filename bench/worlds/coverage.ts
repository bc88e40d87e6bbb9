/**
 * Do intervals of 95 % hold what they should in 95 of 100 histories? Histories are drawn from laws that are known, so that
 * the truth is: each edge has a chance to be seen in a day, and connections that it brings when it is. What was seen in the first
 * days is estimated from; what was not seen is counted.
 */
import { togetherOf, unseenOf } from "@bulkhead/learn";
import type { Interval } from "@bulkhead/model";
import { median } from "../figure.ts";
import type { Random } from "./random.ts";

export interface Drawn {
  /** Chance to be seen in a day, and connections then. */
  readonly chance: number;
  readonly connections: number;
  /** Edges with the same number come on the same days: one job with all that it calls. */
  readonly bundle: number;
}

export interface HistoryLaw {
  readonly name: string;
  draw(random: Random): readonly Drawn[];
}

const edges = (count: number, of: (at: number) => Omit<Drawn, "bundle">): readonly Drawn[] =>
  Array.from({ length: count }, (_, at) => ({ ...of(at), bundle: at }));

const clipped = (chance: number): number => Math.min(1, Math.max(0, chance));
const many = (random: Random): number => Math.ceil(Math.exp(2 + 1.5 * random.normal()));

export const LAWS: readonly HistoryLaw[] = [
  {
    name: "all alike, one day in ten",
    draw: () => edges(150, () => ({ chance: 0.1, connections: 5 })),
  },
  {
    name: "harmonic (the k-th edge on one day in k)",
    draw: (random) => edges(200, (at) => ({ chance: 1 / (at + 1), connections: many(random) })),
  },
  {
    name: "log-normal",
    draw: (random) =>
      edges(150, () => ({
        chance: clipped(Math.exp(2 * random.normal() - 2.5)),
        connections: many(random),
      })),
  },
  {
    name: "most daily, a few monthly",
    draw: (random) =>
      edges(150, (at) => ({
        chance: at < 120 ? 0.95 : 1 / 30,
        connections: at < 120 ? 20 * many(random) : many(random),
      })),
  },
  {
    name: "a long tail of yearly edges",
    draw: (random) =>
      edges(300, (at) => ({
        chance: at < 100 ? random.between(0.2, 1) : 1 / 365,
        connections: at < 100 ? many(random) : 2,
      })),
  },
  {
    name: "jobs of two to nine edges at once",
    draw(random) {
      const daily = edges(80, () => ({
        chance: random.between(0.5, 1),
        connections: many(random),
      }));
      const jobs = Array.from({ length: 25 }, (_, job) => {
        const chance = random.pick([1 / 7, 1 / 30, 1 / 90]);
        return Array.from({ length: random.whole(2, 9) }, (): Drawn => ({
          chance,
          connections: many(random),
          bundle: 1000 + job,
        }));
      });
      return [...daily, ...jobs.flat()];
    },
  },
  {
    name: "few edges (twelve)",
    draw: (random) =>
      edges(12, () => ({ chance: random.pick([0.9, 0.5, 0.1, 0.02]), connections: many(random) })),
  },
];

export const UNITS = [14, 28, 91] as const;

export interface Covered {
  readonly law: string;
  readonly units: number;
  readonly histories: number;
  /** Shares of histories in which the interval held the truth. */
  readonly mass: number;
  readonly flows: number;
  readonly edges: number;
  /** Of these the share in which the truth lay above: the side that hurts. */
  readonly flowsAbove: number;
  /** In the middle of the histories: the true share of connections on edges not seen, and the upper end of its interval. */
  readonly truth: number;
  readonly high: number;
}

export function coverageOf(
  law: HistoryLaw,
  units: number,
  histories: number,
  random: Random,
): Covered {
  const held = { mass: 0, flows: 0, edges: 0, flowsAbove: 0 };
  const [truths, highs]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < histories; turn++) {
    const { estimate, truth } = oneHistory(law, units, random.fork(`${law.name} ${units} ${turn}`));
    truths.push(truth.flows);
    highs.push(estimate.flowsInterval.high);
    if (holds(estimate.massInterval, truth.mass)) held.mass++;
    if (holds(estimate.flowsInterval, truth.flows)) held.flows++;
    else if (truth.flows > estimate.flowsInterval.high) held.flowsAbove++;
    if (holds(estimate.edgesInterval, truth.edges)) held.edges++;
  }
  const share = (count: number): number => count / histories;
  return {
    law: law.name,
    units,
    histories,
    mass: share(held.mass),
    flows: share(held.flows),
    edges: share(held.edges),
    flowsAbove: share(held.flowsAbove),
    truth: median(truths),
    high: median(highs),
  };
}

function oneHistory(law: HistoryLaw, units: number, random: Random) {
  const drawn = law.draw(random);
  const seen = drawn.map(() => ({ days: 0, first: Infinity, connections: 0 }));
  for (let day = 0; day < units; day++) {
    const bundles = new Map<number, boolean>();
    for (const [at, { chance, connections, bundle }] of drawn.entries()) {
      const comes = bundles.get(bundle) ?? random.chance(chance);
      bundles.set(bundle, comes);
      const own = seen[at];
      if (!comes || own === undefined) continue;
      own.days++;
      own.first = Math.min(own.first, day);
      own.connections += connections;
    }
  }
  const there = seen.filter(({ days }) => days > 0);
  const estimate = unseenOf(
    there.map(({ days }) => days),
    units,
    {
      connections: there.map(({ connections }) => connections),
      together: togetherOf(there.map(({ first }) => first)),
    },
  );
  const hidden = drawn.filter((_, at) => seen[at]?.days === 0);
  const sum = (of: readonly Drawn[], weight: (one: Drawn) => number): number =>
    of.reduce((total, one) => total + weight(one), 0);
  return {
    estimate,
    truth: {
      mass: sum(hidden, ({ chance }) => chance) / sum(drawn, ({ chance }) => chance),
      flows:
        sum(hidden, ({ chance, connections }) => chance * connections) /
        sum(drawn, ({ chance, connections }) => chance * connections),
      edges: hidden.length,
    },
  };
}

const TOLERANCE = 1e-12;
const holds = ({ low, high }: Interval, truth: number): boolean =>
  truth >= low - TOLERANCE && truth <= high + TOLERANCE;
