/**
 * What a role is called: as before, if most of it was called so; else by what it is called by others (names looked up in
 * DNS), by its unit, by what its members' names have in common; else by what it does: `postgresql-for-orders`, `web-in-front`,
 * `client-of-reports`. Numbers come last: a name that says something is worth more than a short one.
 */
import { parseIp } from "@bulkhead/model";
import { fitting, nameOf } from "../names.ts";
import { by, compareText, groupBy } from "../order.ts";
import { UNIT_KEY } from "../machine.ts";
import { ANYBODY, type Conversations } from "./conversations.ts";
import type { Habit } from "./role-habits.ts";
import { isService, splitPort, wordOfPort } from "./role-words.ts";
import { purposeOfPort } from "../purpose.ts";

/** Of all members, so many have to be called alike for the role to be called so. */
const MOST = 0.6;
const SHORTEST = 2;
/** Whoever a quarter of all roles have to do with tells none of them apart, where there are so many. */
const HUB_SHARE = 4;

export function nameRoles(
  talk: Conversations,
  clusters: readonly (readonly number[])[],
  habits: readonly (readonly Habit[])[],
  former: ReadonlyMap<string, string>,
  homes: readonly string[],
): readonly string[] {
  const home = clusters.map(([first]) => homes[first ?? 0] ?? "");
  const names: (string | undefined)[] = clusters.map(() => undefined);
  const taken = new Set<string>();
  const take = (role: number, name: string): void => {
    names[role] = name;
    taken.add(`${home[role]}\n${name}`);
  };
  const isFree = (role: number, name: string): boolean => !taken.has(`${home[role]}\n${name}`);
  const bySize = clusters
    .map((_, at) => at)
    .toSorted(
      by(
        (at) => -(clusters[at]?.length ?? 0),
        (at) => at,
      ),
    );

  for (const role of bySize) {
    const name = formerName(clusters[role] ?? [], talk, former);
    if (name !== undefined && isFree(role, name)) take(role, name);
  }
  for (const source of [calledAs, unitOf, stemOf]) {
    const open = clusters.map((members, role) =>
      names[role] === undefined ? common(members.map((one) => source(talk, one))) : undefined,
    );
    // What several roles could be called says nothing.
    const claims = groupBy(
      open.flatMap((word, role) => (word === undefined ? [] : [{ word, role }])),
      ({ word, role }) => `${home[role]}\n${word}`,
    );
    const known = wordsOf(talk, source, clusters, home);
    for (const [key, own] of claims) {
      const [claim] = own;
      if (
        claim !== undefined &&
        own.length === 1 &&
        (known.get(key) ?? 0) === 1 &&
        isFree(claim.role, claim.word)
      )
        take(claim.role, claim.word);
    }
  }
  const words = clusters.map((_, role) => wordOf(habits[role] ?? []));
  const alike = groupBy(
    words.map((word, role) => ({ word, role })),
    ({ word, role }) => `${home[role]}\n${word}`,
  );
  for (const own of alike.values()) {
    const [only] = own;
    const lone = own.filter(({ role }) => names[role] === undefined);
    if (
      own.length === 1 &&
      only !== undefined &&
      lone.length === 1 &&
      only.word !== undefined &&
      isFree(only.role, only.word)
    )
      take(only.role, only.word);
  }
  // Those that have a name by now give it to their neighbours.
  const proper = [...names];
  for (const role of bySize) {
    if (names[role] !== undefined) continue;
    const name = relation(habits[role] ?? [], words[role], clusters.length, (peer) =>
      typeof peer === "string" ? nameOf(peer) : proper[peer],
    );
    const first = talk.members[clusters[role]?.[0] ?? 0];
    const own = nameOf(first?.id.slice(first.id.indexOf("/") + 1) ?? "");
    const wanted = name ?? words[role] ?? "client";
    take(
      role,
      isFree(role, wanted) ? wanted : freeName(`${wanted}-at-${own}`, (one) => isFree(role, one)),
    );
  }
  return names.map((name) => fitting(name ?? "unnamed"));
}

function freeName(wanted: string, isFree: (name: string) => boolean): string {
  let name = wanted;
  for (let count = 2; !isFree(name); count += 1) name = `${wanted}-${count}`;
  return name;
}

/** What most of its members were called before. */
function formerName(
  members: readonly number[],
  talk: Conversations,
  former: ReadonlyMap<string, string>,
): string | undefined {
  const known = members.flatMap((one) => former.get(talk.members[one]?.id ?? "") ?? []);
  return mostOf(known, known.length / 2);
}

function common(words: readonly (string | undefined)[]): string | undefined {
  return mostOf(
    words.flatMap((word) => word ?? []),
    words.length * MOST,
  );
}

/** The word that is there most, if more often than `least`. */
function mostOf(words: readonly string[], least: number): string | undefined {
  const counts = [...groupBy(words, (word) => word)].map(([word, own]) => ({
    word,
    count: own.length,
  }));
  const [first] = counts.toSorted((a, b) => b.count - a.count || compareText(a.word, b.word));
  return first !== undefined && first.count >= least && first.word.length >= SHORTEST
    ? first.word
    : undefined;
}

type Words = (talk: Conversations, member: number) => string | undefined;

/** In how many roles a word occurs, by home. */
function wordsOf(
  talk: Conversations,
  source: Words,
  clusters: readonly (readonly number[])[],
  home: readonly string[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [role, members] of clusters.entries()) {
    for (const word of new Set(members.flatMap((one) => source(talk, one) ?? []))) {
      const key = `${home[role]}\n${word}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** `orders.shop.svc.cluster.local` is called orders. */
const calledAs: Words = (talk, member) => {
  const [name] = talk.calledAs[member] ?? [];
  return name === undefined ? undefined : withoutNumber(nameOf(name.split(".")[0] ?? ""));
};

const unitOf: Words = (talk, member) => {
  const unit = talk.members[member]?.labels[UNIT_KEY];
  return unit === undefined
    ? undefined
    : nameOf(unit.replace(/(@.*)?\.(service|scope|slice)$/, ""));
};

/** `orders-db-3` and `orders-db-17` are orders-db; the hash of a copy is no word. */
const stemOf: Words = (talk, member) => {
  const id = talk.members[member]?.id ?? "";
  const name = nameOf(id.slice(id.indexOf("/") + 1));
  const stem = withoutNumber(name);
  return stem === name ? undefined : stem;
};

function withoutNumber(name: string): string {
  return (
    name
      .replace(/(-(?=[a-z0-9]*\d)[a-z0-9]{4,10})?(-[a-z0-9]{5})?$/, "")
      .replace(/[-.]?\d+$/, "") || name
  );
}

/** What it offers to most, or undefined for who is only a client. */
function wordOf(habits: readonly Habit[]): string | undefined {
  const offered = habits.filter(
    ({ usual, direction, port }) =>
      usual && direction === "offers" && isService(port) && !isUpkeep(port),
  );
  const [first] = offered;
  if (first === undefined) return undefined;
  const { port } = splitPort(first.port);
  const word = wordOfPort(port);
  const front = offered.some((one) => one.port === first.port && isOutside(one.peer));
  return front && word === "web" ? "web-in-front" : word;
}

function isOutside(peer: number | string): boolean {
  return typeof peer === "string" && (peer === ANYBODY || parseIp(peer) !== null);
}

/** Exporters of metrics and SSH are on everything. */
function isUpkeep(key: number): boolean {
  const { protocol, port } = splitPort(key);
  const purpose = purposeOfPort(protocol, port);
  return purpose === "monitoring" || purpose === "ssh";
}

/** `redis-for-cart`, `client-of-orders`: by whom it has to do with, and fewest others have. */
function relation(
  habits: readonly Habit[],
  word: string | undefined,
  roles: number,
  nameOfPeer: (peer: number | string) => string | undefined,
): string | undefined {
  const direction = word === undefined ? "uses" : "offers";
  const named = habits
    .filter(
      (habit) =>
        habit.usual &&
        habit.direction === direction &&
        (habit.roles < HUB_SHARE || habit.roles * HUB_SHARE <= roles) &&
        isService(habit.port) &&
        !isUpkeep(habit.port),
    )
    .flatMap(({ peer, ...habit }) => {
      const name = nameOfPeer(peer);
      return name === undefined ? [] : [{ name, outside: isOutside(peer), ...habit }];
    })
    .toSorted(
      by(
        (habit) => habit.roles,
        (habit) => -habit.members,
        (habit) => habit.name,
      ),
    );
  const peer = named.find(({ outside }) => !outside)?.name;
  if (peer === undefined) return undefined;
  return word === undefined ? `client-of-${peer}` : `${word}-for-${peer}`;
}
