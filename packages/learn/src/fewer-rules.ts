/**
 * Where a role has more rules than a person can read, rules that name it are joined, those first that add least: one rule for the
 * sources, destinations and ports of both. What that adds is told, and it has bounds (`generality.ts`). What adds something is
 * joined only where that brings the role down to its bound; where nothing does, that is told, and the rules are left as they are.
 */
import type { FewerRules } from "@bulkhead/model";
import { keysOf, portsKey, type Draft } from "./drafts.ts";
import { createJoin, kindOf, type Join, type Joined, type RuleEnd } from "./join-drafts.ts";
import type { KeptOut } from "./kept-out.ts";
import { by, groupBy, push } from "./order.ts";

export interface FewerRulesOptions {
  /** Rules that name one role, at either end. */
  readonly most: number;
  readonly sizeOf: (end: RuleEnd) => number;
  /** Asked for only where something is to be joined. */
  readonly keptOut: () => KeptOut;
}

/** Of more that are alike in kind nobody tries which to join: the effort grows with the cube. */
const MOST_TRIED = 256;

export function fewerRules(
  drafts: readonly Draft[],
  options: FewerRulesOptions,
): { readonly drafts: readonly Draft[]; readonly roles: readonly FewerRules[] } {
  const before = namedBy(drafts);
  const over = [...before.values()]
    .filter((role) => role.drafts.size > options.most)
    .toSorted(
      by(
        (role) => -role.drafts.size,
        (role) => role.name,
      ),
    );
  if (over.length === 0) return { drafts, roles: [] };
  const joinTwo = createJoin(options.sizeOf, options.keptOut());
  const added = new Map<string, number>();
  let now = drafts;
  for (const { key } of over) {
    const own = namedBy(now).get(key)?.drafts ?? new Set();
    const joined = joinDown([...own], options.most, joinTwo);
    now = [...now.filter((draft) => !own.has(draft)), ...joined.drafts];
    added.set(key, joined.added);
  }
  const after = namedBy(now);
  return {
    drafts: now,
    roles: over.map(({ key, name, application, drafts: own }) => ({
      role: name,
      application,
      most: options.most,
      before: own.size,
      after: after.get(key)?.drafts.size ?? 0,
      added: added.get(key) ?? 0,
    })),
  };
}

interface Role {
  readonly key: string;
  readonly name: string;
  readonly application: string;
  readonly drafts: Set<Draft>;
}

/** By key of its end. */
function namedBy(drafts: readonly Draft[]): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  for (const draft of drafts) {
    for (const end of [...draft.sources, ...draft.destinations]) {
      if (end.kind !== "group") continue;
      const { key, group } = end;
      const role = roles.get(key) ?? {
        key,
        name: `${group.namespace}/${group.name}`,
        application: group.application,
        drafts: new Set(),
      };
      role.drafts.add(draft);
      roles.set(key, role);
    }
  }
  return roles;
}

/** Down to `most`, or else as few as can be had for nothing. */
function joinDown(
  drafts: readonly Draft[],
  most: number,
  joinTwo: Join,
): { readonly drafts: readonly Draft[]; readonly added: number } {
  const ordered = drafts.toSorted(
    by(
      (draft) => portsKey(draft.ports),
      (draft) => keysOf(draft.sources),
      (draft) => keysOf(draft.destinations),
    ),
  );
  const down = joinCheapest(ordered, most, joinTwo, Infinity);
  return down.drafts.length <= most ? down : joinCheapest(ordered, most, joinTwo, 0);
}

interface Candidate {
  readonly one: Draft;
  readonly other: Draft;
  readonly joined: Joined;
}

function joinCheapest(drafts: readonly Draft[], most: number, joinTwo: Join, dearest: number) {
  const live = new Set(drafts);
  const alike = new Map<string, Draft[]>();
  let candidates: Candidate[] = [];
  let added = 0;
  const consider = (draft: Draft): void => {
    const kind = kindOf(draft);
    for (const one of alike.get(kind) ?? []) {
      const joined = live.has(one) ? joinTwo(one, draft) : undefined;
      if (joined !== undefined && joined.weight <= dearest) {
        candidates.push({ one, other: draft, joined });
      }
    }
    push(alike, kind, draft);
  };
  for (const own of groupBy(drafts, kindOf).values()) {
    if (own.length <= MOST_TRIED) own.forEach(consider);
  }
  while (live.size > most && candidates.length > 0) {
    const { one, other, joined } = candidates.reduce((least, candidate) =>
      candidate.joined.weight < least.joined.weight ? candidate : least,
    );
    live.delete(one);
    live.delete(other);
    candidates = candidates.filter((pair) => live.has(pair.one) && live.has(pair.other));
    live.add(joined.draft);
    consider(joined.draft);
    added += joined.added;
  }
  return { drafts: [...live], added };
}
