/**
 * From what was seen to the least policy that covers it.
 *
 *   edges ──► ends ──────► relations ──► judge ──► needs ──► world ──► rules ──► suggestion
 *               │ groups of labels ▲        ▲ │ set aside │    │ sets    │
 *               ▼                  │        │ ▼           ▼    ▼         ▼
 *             exempt          inventory  behaviour   suspicion set aside covered
 *
 * People and the way they come in are confined by nothing, and the machine's own resolver not in whom it hears: see `people.ts`.
 * The same edges in any order give the same suggestion. What is not proposed is listed with its reason.
 */
import type {
  Cidr,
  Edge,
  Inventory,
  ProposedLabels,
  SetAside,
  SuggestedLink,
  SuggestedRule,
  Suggestion,
} from "@bulkhead/model";
import { applicationsOf } from "./applications.ts";
import { DEFAULT_BEHAVIOUR, judgeSources, sourceKey, type BehaviourOptions } from "./behaviour.ts";
import { splitCovered } from "./cover.ts";
import { draftsOf } from "./drafts.ts";
import { knownMembers, placeEdges, relationsOf } from "./ends.ts";
import { fewerRules } from "./fewer-rules.ts";
import { NAMED_ADDRESSES, NAMELESS_ADDRESSES, RULES_A_ROLE } from "./generality.ts";
import { groupWorkloads, type Grouping, type Member } from "./groups.ts";
import { isolationsOf } from "./isolations.ts";
import { dissolveSets } from "./former-sets.ts";
import { DEFAULT_JUDGE, type JudgeOptions } from "./judge.ts";
import { idleAccepts } from "./idle-accepts.ts";
import { keptOut } from "./kept-out.ts";
import { machineProcesses, namespacesOf } from "./machine.ts";
import { needsOf } from "./needs.ts";
import { by, inEdgeOrder } from "./order.ts";
import { presentOf, sizeOf } from "./present.ts";
import { purposeOf } from "./purpose.ts";
import { edgesWithLabels, proposeLabels, regrouped } from "./roles/propose-labels.ts";
import { formerNames, recogniseEnds } from "./recognition.ts";
import { withRejections } from "./rejections.ts";
import { rulesOf } from "./rules.ts";
import { withSlack } from "./slack.ts";
import { summarise } from "./summary.ts";
import { doubtNeeds, type SuspicionOptions } from "./suspicion/suspicion.ts";
import { unattributedOf } from "./unattributed.ts";
import { nameWorld, type Denied } from "./world.ts";

export interface SuggestOptions extends Partial<Omit<JudgeOptions, "behaviour">>, SuspicionOptions {
  /** What a person has said is not needed, as `accept` names edges: it is set aside as before, and that is said of it. */
  readonly reject?: readonly string[];
  readonly behaviour?: Partial<BehaviourOptions>;
  /** More outside addresses than this on one port of one group are left to a person. */
  readonly maxWorldAddresses?: number;
  /** More addresses than this behind one domain name, too. */
  readonly maxNamedAddresses?: number;
  /** Where more rules than this name one role, at either end, rules are joined as far as that goes. */
  readonly maxRules?: number;
  /** Prefixes that a person said: addresses of theirs that were seen are allowed as the whole prefix. None holds everybody. */
  readonly ranges?: readonly Cidr[];
  /** Domain names by the sets (`shop/api.example.com`) that an earlier suggestion made of them, and that are in force. */
  readonly namedSets?: ReadonlyMap<string, string>;
  /** Only rules that live in, and isolation of, these namespaces; all by default. */
  readonly namespaces?: readonly string[];
  /** Confine what people do at a shell, or have run by the clock, like any service. */
  readonly includePeople?: boolean;
  /** Where labels are missing or useless: roles from who talks to whom, with labels for them, and rules on those labels. */
  readonly proposeLabels?: boolean;
  /** Names that an earlier suggestion gave to roles, by workload: whoever stays together keeps them. */
  readonly formerRoles?: ReadonlyMap<string, string>;
}

/** `edges` must not hold our own probes. Times are the edges' own; nothing here reads a clock. */
export function suggest(
  edges: readonly Edge[],
  inventory: Inventory,
  options: SuggestOptions = {},
): Suggestion {
  const behaviour = { ...DEFAULT_BEHAVIOUR, ...options.behaviour };
  const judge: JudgeOptions = { ...DEFAULT_JUDGE, ...options, behaviour };
  const recognised = recogniseEnds(dissolveSets(edges, options.namedSets), inventory);
  const seenEdges = withinNamespaces(recognised.toSorted(inEdgeOrder), options.namespaces);
  const flagged = judgeSources(seenEdges, behaviour);
  const { ordered, members, grouping, proposed } = grouped(seenEdges, inventory, flagged, options);
  const placed = placeEdges(ordered, inventory, grouping);
  const setAside: SetAside[] = placed.flatMap((item) =>
    item.kind === "aside" ? [{ edge: item.edge, reason: item.reason, detail: item.detail }] : [],
  );

  const processes = machineProcesses(members, inventory);
  const relations = relationsOf(placed);
  const includePeople = options.includePeople ?? false;
  const strangers = placed.flatMap((item) =>
    item.kind === "exempt" && item.reason === "from-host" ? item.edge : [],
  );
  const seen = needsOf({ relations, flagged, judge, processes, includePeople, strangers });
  const doubted = doubtNeeds(seen.needs, options);
  setAside.push(...seen.refused, ...doubted.refused);

  const world = nameWorld(doubted.needs, {
    maxWorldAddresses: options.maxWorldAddresses ?? NAMELESS_ADDRESSES,
    maxNamedAddresses: options.maxNamedAddresses ?? NAMED_ADDRESSES,
    ranges: options.ranges ?? [],
    denied: deniedOf(setAside, grouping, flagged),
  });
  setAside.push(...world.refused);
  const followed = new Set(world.followed);
  const present = presentOf(members, inventory, grouping, world.networkSets);
  const held = fewerRules(draftsOf(world.needs), {
    most: options.maxRules ?? RULES_A_ROLE,
    sizeOf: (end) => sizeOf(end, present),
    keptOut: () => keptOut(setAside, flagged, grouping, world.networkSets),
  });
  const drafted = rulesOf(held.drafts, grouping, namespacesOf(processes));
  const byId = new Map(members.map((member) => [member.id, member]));
  const split = splitCovered(
    setAside
      .filter(({ edge }) => !followed.has(edge))
      .toSorted((a, b) => inEdgeOrder(a.edge, b.edge))
      .map(withPurpose),
    drafted.map(({ rule }) => rule),
    world.networkSets,
    byId,
  );
  const aside = withRejections(split.setAside, options.reject ?? []);
  const rules = drafted.map((one) => withSlack(one, split.by.get(one.rule) ?? [], present));
  const links = linksOf(rules);
  const accepted = world.needs.flatMap((need) => need.edges).toSorted(inEdgeOrder);
  return {
    applications: applicationsOf(members),
    isolations: isolationsOf({
      edges: ordered,
      needs: world.needs,
      grouping,
      processes,
      namespaces: options.namespaces,
    }),
    networkSets: world.networkSets,
    rules,
    fewerRules: held.roles,
    links,
    setAside: aside,
    setAsideGroups: summarise(aside),
    exempt: placed.flatMap((item) =>
      item.kind === "exempt" ? [{ edge: item.edge, reason: item.reason }] : [],
    ),
    accepted,
    covered: split.covered,
    idleAccepts: idleAccepts(options.accept ?? [], grouping, links, accepted, [
      ...split.setAside,
      ...split.covered,
    ]),
    unattributed: unattributedOf(
      placed,
      world.needs,
      processes,
      setAside.flatMap(({ edge, reason }) => (reason === "people" ? edge : [])),
    ),
    unlabelled: unlabelledOf(ordered, grouping),
    formerNames: formerNames(edges, recognised).filter(({ now }) =>
      isWithin(now, options.namespaces),
    ),
    proposedLabels: proposed,
    flagged: [...flagged.values()].toSorted(
      by(
        (source) => source.name,
        (source) => source.address,
      ),
    ),
  };
}

/** Groups by labels, and, where that is wanted, by labels that would tell more. */
function grouped(
  edges: readonly Edge[],
  inventory: Inventory,
  flagged: ReadonlyMap<string, unknown>,
  options: SuggestOptions,
): {
  readonly ordered: readonly Edge[];
  readonly members: readonly Member[];
  readonly grouping: Grouping;
  readonly proposed: readonly ProposedLabels[];
} {
  const members = knownMembers(edges, inventory);
  const grouping = groupWorkloads(members);
  if (options.proposeLabels !== true) return { ordered: edges, members, grouping, proposed: [] };
  const former = options.formerRoles;
  const { proposed, labels } = proposeLabels({
    edges,
    members,
    grouping,
    inventory,
    flagged,
    former,
  });
  if (proposed.length === 0) return { ordered: edges, members, grouping, proposed };
  return { ordered: edgesWithLabels(labels, edges), ...regrouped(members, labels), proposed };
}

/** A need that is denied may yet be recognised by the name of where it goes. */
function deniedOf(
  setAside: readonly SetAside[],
  grouping: Grouping,
  flagged: ReadonlyMap<string, unknown>,
): readonly Denied[] {
  return setAside.flatMap(({ edge, reason }): readonly Denied[] => {
    const { source, destination } = edge;
    const group = source.workload === undefined ? undefined : grouping.groupOf.get(source.workload);
    const outward = destination.workload === undefined && destination.name !== "host";
    if (reason !== "denied" || !outward || group === undefined) return [];
    if (flagged.has(sourceKey(edge))) return [];
    return [{ edge, inside: { kind: "group", key: `group ${group.id}`, group } }];
  });
}

function withPurpose(item: SetAside): SetAside {
  const purpose = item.reason === "spoofed" ? undefined : purposeOf(item.edge);
  return purpose === undefined ? item : { ...item, purpose };
}

function linksOf(rules: readonly SuggestedRule[]): readonly SuggestedLink[] {
  return rules
    .flatMap((rule) =>
      rule.links.map((link) => ({ ...link, rule: `${rule.namespace}/${rule.name}` })),
    )
    .toSorted(by((link) => link.text));
}

function unlabelledOf(edges: readonly Edge[], grouping: Grouping): readonly string[] {
  const ends = edges.flatMap((edge) => [edge.source.workload, edge.destination.workload]);
  const seen = new Set(ends);
  return grouping.ungrouped.map((member) => member.id).filter((id) => seen.has(id));
}

function withinNamespaces(
  edges: readonly Edge[],
  namespaces: readonly string[] | undefined,
): readonly Edge[] {
  if (namespaces === undefined) return edges;
  const inside = (id: string | undefined): boolean => id !== undefined && isWithin(id, namespaces);
  return edges.filter((edge) => inside(edge.source.workload) || inside(edge.destination.workload));
}

const isWithin = (id: string, namespaces: readonly string[] | undefined): boolean =>
  namespaces === undefined || namespaces.some((namespace) => id.startsWith(`${namespace}/`));
