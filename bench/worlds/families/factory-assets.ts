/** The factory's machines as its asset database knows them: with gaps, typing errors, and stations named by when they were bought. */
import type { Labels } from "@bulkhead/model";
import type { RoleName } from "../blueprint.ts";
import type { Draft } from "../drafting.ts";
import type { Random } from "../random.ts";

const NO_ENTRY = 0.08;
const TYPING_ERROR = 0.03;

export interface Plant {
  readonly draft: Draft;
  readonly random: Random;
  some(least: number, most: number): number;
  /** A machine of the asset database: the business service it belongs to, and its class. */
  server(namespace: string, name: string, copies: number, service: string, more?: Rank): RoleName;
  /** A machine that its purchase number names. */
  station(
    namespace: string,
    name: string,
    copies: number,
    labels: Labels,
    elastic?: number,
  ): RoleName;
}

interface Rank {
  readonly standbys?: number;
  readonly class?: string;
}

/** What the database says of one machine: everything, something, something misspelt, or nothing. */
export function recorded(random: Random, machine: string, labels: Labels): Labels {
  const own = random.fork(`record of ${machine}`);
  if (own.chance(NO_ENTRY)) return {};
  if (!own.chance(TYPING_ERROR)) return labels;
  const key = own.pick(Object.keys(labels));
  const value = labels[key] ?? "";
  const at = own.whole(1, Math.max(1, value.length - 2));
  return { ...labels, [key]: `${value.slice(0, at)}${value.slice(at + 1)}` };
}

export function plantOf(draft: Draft, random: Random, size: number): Plant {
  let bought = 0;
  return {
    draft,
    random,
    some: (least, most) => Math.max(1, Math.round(size * random.whole(least, most))),
    server: (namespace, name, copies, service, more = {}) =>
      draft.role(namespace, name, {
        kind: "vm",
        copies,
        standbys: more.standbys ?? 0,
        labels: (copy) =>
          recorded(random, `${name} ${copy}`, { service, class: more.class ?? "server" }),
        called: (copy) => `srv-${name}${copy + 1}`,
      }),
    station: (namespace, name, copies, labels, elastic = 0) => {
      const numbers = new Map<number, string>();
      return draft.role(namespace, name, {
        kind: "vm",
        copies,
        elastic,
        labels: (copy) => recorded(random, `${name} ${copy}`, labels),
        called: (copy) => {
          const number = numbers.get(copy) ?? `pc${String(20_000 + ((++bought * 7_919) % 70_000))}`;
          numbers.set(copy, number);
          return number;
        },
      });
    },
  };
}
