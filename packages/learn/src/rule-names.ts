/**
 * What a rule is called: `web-to-db`, `clients-to-db-5432`, `report-to-db-5432` while it is rare, `bastion-to-web-ssh`. A
 * name is made of the rule and of what its ends are called, never of other rules, so that it stays from run to run; only
 * where two rules come to the same words all the same are they told apart by their ports.
 */
import type { Group } from "./groups.ts";
import { APPLICATION_KEYS } from "./applications.ts";
import { USER_KEY } from "./machine.ts";
import { fitting, isResolverName, nameOf, portsName } from "./names.ts";
import { by, groupBy } from "./order.ts";
import { DNS_PORT, isMonitor } from "./purpose.ts";
import { keysOf, portsKey, type Draft, type Need } from "./drafts.ts";

type RuleEnd = Need["source"];

export interface Named {
  readonly draft: Draft;
  readonly namespace: string;
  readonly name: string;
}

/** How a rule that lives with one group calls another. */
type WordOf = (group: Group, home: Group | undefined) => string;

export function nameRules(drafts: readonly Draft[], groups: readonly Group[]): readonly Named[] {
  const wordOf = wordsOf(groups);
  const unnamed = drafts.map((draft) => ({
    draft,
    namespace: homeOf(draft)?.namespace ?? "default",
    name: fitting(plainName(draft, wordOf)),
  }));
  return [...groupBy(unnamed, (item) => `${item.namespace}/${item.name}`).values()].flatMap(
    tellApart,
  );
}

function tellApart(same: readonly Named[]): readonly Named[] {
  if (same.length === 1) return same;
  const ordered = same.toSorted(
    by(
      (item) => (item.draft.rare ? 1 : 0),
      (item) => portsKey(item.draft.ports),
      (item) => keysOf(item.draft.sources),
      (item) => keysOf(item.draft.destinations),
    ),
  );
  const taken = new Set<string>();
  return ordered.map((item) => {
    const name = `${item.name}-${portsName(item.draft.ports)}`;
    let full = fitting(name);
    for (let count = 2; taken.has(full); count += 1) full = fitting(`${name}-${count}`);
    taken.add(full);
    return { ...item, name: full };
  });
}

/**
 * A group of another namespace bears that one's name, `shop-db`. Where somebody else could be called so too (the `db` of an
 * application `shop`), it is `db-of-shop`, whether or not the other has a rule: else its first flow would rename this one's.
 */
function wordsOf(groups: readonly Group[]): WordOf {
  const own = new Set(groups.map(({ namespace, name }) => `${namespace}/${name}`));
  const foreign = groupBy(groups, foreignWord);
  return (group, home) => {
    if (group.namespace === home?.namespace) return group.name;
    const word = foreignWord(group);
    const others = (foreign.get(word) ?? []).filter(
      ({ namespace }) => namespace !== group.namespace && namespace !== home?.namespace,
    );
    const taken = others.length > 0 || (home !== undefined && own.has(`${home.namespace}/${word}`));
    return taken ? `${group.name}-of-${nameOf(group.namespace)}` : word;
  };
}

const foreignWord = ({ namespace, name }: Group): string => `${nameOf(namespace)}-${name}`;

/** Where a rule lives: with its destination, or with the source where the destination is outside, or is not confined by it. */
export function homeOf(draft: Draft): Group | undefined {
  const { sources, destinations, only } = draft;
  const ends = only === "egress" ? sources : [...destinations, ...sources];
  const end = ends.find((one) => one.kind === "group");
  return end?.kind === "group" ? end.group : undefined;
}

function plainName(draft: Draft, wordOf: WordOf): string {
  const home = homeOf(draft);
  const source = draft.sources[0];
  const destination = draft.destinations[0];
  if (source === undefined || destination === undefined)
    throw new Error("a rule without ends was drafted");
  const resolver = resolverRule(draft, wordOf);
  if (resolver !== undefined) return resolver;
  const several = draft.sources.length > 1 || draft.destinations.length > 1;
  const from = draft.sources.length > 1 ? manyName(source, home) : shortName(source, home, wordOf);
  const to = draft.destinations.length > 1 ? "many" : shortName(destination, home, wordOf);
  const what = several || draft.rare ? portsName(draft.ports) : purposeName(draft, from, to);
  return [from, "to", to, ...(what === undefined ? [] : [what])].join("-");
}

/** Whoever else comes to ask a resolver, its rule stays called by it; those whose selectors are of another shape have another. */
function resolverRule(draft: Draft, wordOf: WordOf): string | undefined {
  const [source] = draft.sources;
  const set = resolverOf(draft, wordOf);
  if (source?.kind !== "group" || set === undefined) return undefined;
  const { scope, selector, name } = source.group;
  const roles = selector.requirements.filter(
    ({ key, operator }) => operator === "In" && key !== scope?.key,
  );
  if (roles.length > 1) return `${name}-to-${set}`;
  const unlike = selector.requirements.some(
    ({ key, operator }) =>
      operator === "DoesNotExist" && !APPLICATION_KEYS.includes(key) && key !== USER_KEY,
  );
  const key = roles[0]?.key ?? "none";
  return unlike ? `${set}-by-${nameOf(key.slice(key.lastIndexOf("/") + 1))}` : set;
}

function resolverOf(
  { destinations, only, purpose, ports }: Draft,
  wordOf: WordOf,
): string | undefined {
  const [to, another] = destinations;
  if (another !== undefined) return undefined;
  if (to?.kind === "set" && isResolverName(to.short))
    return to.name.slice(to.name.indexOf("/") + 1);
  const asks = purpose === "dns" && ports.every(({ port }) => port === DNS_PORT);
  if (to?.kind !== "group" || only !== "egress" || !asks) return undefined;
  return `dns-at-${wordOf(to.group, to.group)}`;
}

/** What keeps an application running is told apart from what it does, unless the source does nothing else. */
function purposeName(draft: Draft, from: string, to: string): string | undefined {
  const { purpose } = draft;
  const known = draft.needs.every(({ edges }) =>
    edges.every(({ source }) => isMonitor(source.labels)),
  );
  if (purpose === undefined || (purpose === "monitoring" && known)) return undefined;
  // A set of nameless addresses is for its ports alone.
  if ([from, to].some((word) => /^(world-|metadata$)/.test(word))) return undefined;
  return from.includes(purpose) || to.includes(purpose) ? portsName(draft.ports) : purpose;
}

function shortName(end: RuleEnd, home: Group | undefined, wordOf: WordOf): string {
  if (end.kind === "host") return "host";
  return end.kind === "set" ? end.short : wordOf(end.group, home);
}

function manyName(end: RuleEnd, home: Group | undefined): string {
  if (end.kind !== "group") return "clients";
  const { namespace, scope, application } = end.group;
  if (namespace !== home?.namespace) return `${nameOf(namespace)}-clients`;
  if (application === home.application || scope === undefined) return "clients";
  return `${nameOf(scope.value)}-clients`;
}
