/**
 * Rules that permit ports which nothing used, or peers who did not, and a narrower text of them. What was used in the whole
 * record stays permitted, and the text is proposed only where that was proved (`broad-proof.ts`).
 */
import type { PoliciesAnswer, ReadinessAnswer } from "@bulkhead/api";
import { indexInventory, selects, type InventoryIndex } from "@bulkhead/engine";
import { createRecognition } from "@bulkhead/learn";
import {
  intersect,
  type Block,
  type Direction,
  type Edge,
  type Inventory,
  type Peer,
} from "@bulkhead/model";
import {
  createRuleUse,
  findNarrower,
  formatHeld,
  groupEstate,
  isUse,
  mapsOf,
  peersEdit,
  peerText,
  peerYaml,
  portsEdit,
  type EstateGroups,
  type FindMap,
  type PeerFinding,
  type PeerSide,
  type RuleUse,
  type UsedRule,
} from "@bulkhead/workbench/hygiene";
import { offsetOf, unifiedDiff } from "@bulkhead/workbench/lint";
import type { HeldResource } from "../policy/candidate.ts";
import { domainSetsOf } from "../policy/domain-sets.ts";
import { readPolicy, type Reading } from "../policy/reading.ts";
import { entriesOf, shareOut, type EntriesOf, type Entry } from "./broad-entries.ts";
import { eachOf, filesOf, proved, type Narrowing } from "./broad-proof.ts";

/** Plain data, all of it: it may come from another thread. */
export interface BroadInput {
  readonly held: readonly HeldResource[];
  /** By their hashes. */
  readonly texts: ReadonlyMap<string, string>;
  readonly inventory: Inventory;
  /** All on record, own probes left out. */
  readonly edges: readonly Edge[];
  /** Those of the span alone: each with what is known of that time. */
  readonly recent: readonly Edge[];
  /** When each resource came to say what it says. */
  readonly born: ReadonlyMap<string, number>;
  readonly readiness: ReadinessAnswer["subjects"];
  readonly since: number;
  /** When the first flow on record was seen by ourselves; undefined without any. */
  readonly oldest: number | undefined;
  /** Days of the span on which anybody looked. */
  readonly days: number;
  readonly now: number;
}

export type Broad = NonNullable<PoliciesAnswer["broad"]>;
type BroadRule = Broad["rules"][number];
type BroadPeer = NonNullable<BroadRule["peers"]>[number];

interface Work extends BroadInput {
  readonly reading: Reading;
  readonly index: InventoryIndex;
  readonly groups: EstateGroups;
  readonly sets: EntriesOf["sets"];
  readonly states: ReadonlyMap<string, BroadRule["readiness"]>;
  /** Texts that were read, each once. */
  readonly read: Map<string, FindMap>;
  /** Whom a block is about. */
  readonly subjectsOf: (block: Block) => readonly string[];
}

export async function broadOf(input: BroadInput): Promise<Broad> {
  const { held, inventory, since, oldest, days, now } = input;
  const reading = readPolicy(held, { now, strict: false });
  const index = indexInventory(inventory);
  const recognise = createRecognition(inventory);
  const recorded = input.edges.map(recognise);
  const all = recorded.filter(isUse);
  const states = new Map(
    input.readiness.flatMap(({ state, subject }) =>
      subject.workloads.map((id) => [id, state] as const),
    ),
  );
  const learning = new Set(
    [...states].flatMap(([id, state]) => (state === "learning" ? [id] : [])),
  );
  const work: Work = {
    ...input,
    reading,
    index,
    states,
    read: new Map(),
    subjectsOf: createSubjects(index),
    groups: groupEstate({ index, edges: recorded, since, learning }),
    sets: setsOf(reading, held),
  };
  const useOf = async (edges: readonly Edge[]): Promise<RuleUse> => {
    const use = createRuleUse(reading.set, index, now);
    await eachOf(edges, use.add);
    return use;
  };
  const [lately, ever] = [await useOf(input.recent.filter(isUse).map(recognise)), await useOf(all)];
  const found = lately.ports.rules().flatMap((one) => findingOf(one, lately, ever, work) ?? []);
  const proposals = found.flatMap(({ proposals: own }) => own);
  const { kept, left } = await proved(proposals, {
    held,
    set: reading.set,
    index,
    edges: all,
    now,
  });
  const rules = found.map((one) => answerOf(one, new Set(kept), left));
  return {
    since,
    from: Math.max(since, oldest ?? now),
    days,
    replayed: all.length,
    rules: rules.toSorted((a, b) => (a.rule < b.rule ? -1 : 1)),
    patch: filesOf(kept).map(unifiedDiff).join(""),
  };
}

function setsOf(
  { networkSets }: Reading,
  held: readonly HeldResource[],
): ReadonlyMap<string, { readonly size: number; readonly followsName?: string }> {
  const names = new Map(domainSetsOf(held).map(({ name, domain }) => [name, domain]));
  return new Map(
    networkSets.map(({ name, cidrs }) => {
      const followsName = names.get(name);
      return [name, { size: cidrs.length, ...(followsName === undefined ? {} : { followsName }) }];
    }),
  );
}

/** Of one rule: what the answer says of it, and what is proposed. */
interface Finding {
  readonly rule: Omit<BroadRule, "peers">;
  readonly peers: readonly {
    readonly peer: BroadPeer;
    readonly proposal: PeerProposal | undefined;
  }[];
  readonly ports: PortProposal | undefined;
  readonly proposals: readonly Proposal[];
}

interface PortProposal extends Narrowing {
  readonly kind: "ports";
  readonly text: string;
}

interface PeerProposal extends Narrowing {
  readonly kind: "peers";
}

type Proposal = PortProposal | PeerProposal;

/** Null: it permits little more than was used. */
function findingOf(one: UsedRule, lately: RuleUse, ever: RuleUse, work: Work): Finding | null {
  const { place, rule, permits, used, slack } = one;
  const findings = one.placed.map((placed) => peersOf(placed, lately, ever, work));
  if (slack === 0 && findings.every(({ found }) => found.length === 0)) return null;
  const early = tooEarly(one, work);
  const target = early === undefined ? textOf(one, work) : "";
  const ports = slack === 0 || early !== undefined ? undefined : portsFor(one, ever, target);
  const peers = findings.flatMap((own) => proposePeers(own, early, target));
  const proposals = [
    ...(typeof ports === "object" ? [ports] : []),
    ...new Set(peers.flatMap(({ proposal }) => proposal ?? [])),
  ];
  return {
    rule: {
      rule: rule.id,
      place,
      inForceSince: work.born.get(ownerOf(rule.id)) ?? work.now,
      permits: formatHeld(permits),
      used: formatHeld(used),
      slack,
      readiness: readinessOf(one, work),
      ...(early === undefined ? {} : { tooEarly: early }),
      ...(typeof ports === "string" ? { left: ports } : {}),
    },
    peers,
    ports: typeof ports === "object" ? ports : undefined,
    proposals,
  };
}

function answerOf(
  { rule, peers, ports }: Finding,
  kept: ReadonlySet<Proposal>,
  left: ReadonlyMap<Proposal, string>,
): BroadRule {
  const told = peers.map(({ peer, proposal }): BroadPeer => {
    if (proposal === undefined || kept.has(proposal)) return peer;
    const { proposed: _, ...rest } = peer;
    return { ...rest, left: left.get(proposal) ?? "it could not be proved" };
  });
  const why = ports === undefined ? undefined : left.get(ports);
  return {
    ...rule,
    ...(ports !== undefined && kept.has(ports) ? { proposed: ports.text } : {}),
    ...(why === undefined ? {} : { left: why }),
    ...(told.length === 0 ? {} : { peers: told }),
  };
}

function ownerOf(rule: string): string {
  return rule.split("#")[0] ?? rule;
}

function tooEarly(one: UsedRule, work: Work): string | undefined {
  const { since, oldest, now, born, states } = work;
  if ((born.get(ownerOf(one.rule.id)) ?? now) > since) return "in force for less";
  if ((oldest ?? now) > since) return "on record for less";
  const learning = about(one, work).find((id) => (states.get(id) ?? "learning") === "learning");
  return learning === undefined ? undefined : `learning: ${learning}`;
}

/** Many rules have one subject, and many policies do. */
function createSubjects(index: InventoryIndex): Work["subjectsOf"] {
  const known = new Map<string, readonly string[]>();
  return ({ subject }) => {
    const key = JSON.stringify(subject);
    const found =
      known.get(key) ??
      [...index.workloads.values()]
        .filter((workload) => selects(subject, workload, index))
        .map(({ id }) => id);
    known.set(key, found);
    return found;
  };
}

const about = ({ placed }: UsedRule, { subjectsOf }: Work): readonly string[] =>
  placed.flatMap(({ block }) => subjectsOf(block));

/** Of all whom it is about the least. */
function readinessOf(one: UsedRule, work: Work): BroadRule["readiness"] {
  const states = about(one, work).map((id) => work.states.get(id) ?? "learning");
  if (states.includes("learning")) return "learning";
  return states.includes("ready-except") ? "ready-except" : "ready";
}

interface Target {
  readonly name: string;
  /** As it is stored, and without what some editors put before it. */
  readonly text: string;
  readonly plain: string;
  readonly maps: FindMap;
  readonly at: number;
  readonly home: string;
}

/** Where its text is, or why it is not to be changed. */
function textOf({ rule, placed }: UsedRule, { held, reading, texts, read }: Work): Target | string {
  const owner = held.find(({ stored }) => stored.key === ownerOf(rule.id));
  if (owner?.resource.dialect !== "native") return "it is not written in a kind of ours";
  if (reading.set.canary !== undefined) return "a rollout is under way";
  if (rule.l7 !== undefined || rule.auth !== undefined) return "it asks for more than ports";
  const name = rule.source.file;
  const versions = new Set(
    held.filter(({ stored }) => stored.fileName === name).map(({ stored }) => stored.fileHash),
  );
  const text = texts.get(owner.stored.fileHash);
  if (text === undefined || versions.size !== 1) return `\`${name}\` is in force in two versions`;
  const plain = text.replace(/^\uFEFF/, "");
  const home = placed[0]!.block.policy.namespace;
  const maps = read.get(plain) ?? mapsOf(plain);
  read.set(plain, maps);
  return { name, text, plain, maps, at: offsetOf(plain, rule.source), home };
}

function portsFor(one: UsedRule, ever: RuleUse, target: Target | string): PortProposal | string {
  if (typeof target === "string") return target;
  const { place, permits } = one;
  const used = ever.ports.usedAt(place);
  const keep = {
    numbers: intersect(used.numbers, permits.numbers),
    names: permits.names.filter((name) => used.names.includes(name)),
  };
  if (formatHeld(keep) === formatHeld(permits)) return "all of it was used before that time";
  const { name, text, plain, maps, at } = target;
  const edit = portsEdit(plain, maps, at, keep);
  if (edit.kind === "left") return edit.why;
  return { kind: "ports", file: { name, text }, edit: edit.edit, text: edit.ports.join(", ") };
}

const SIDES: Readonly<Record<Direction, PeerSide>> = { ingress: "from", egress: "to" };

interface PeersFound {
  readonly side: PeerSide;
  readonly entries: readonly Entry[];
  readonly home: string;
  readonly found: readonly PeerFinding[];
}

function peersOf(
  { block, rule }: UsedRule["placed"][number],
  lately: RuleUse,
  ever: RuleUse,
  { held, index, groups, sets, subjectsOf }: Work,
): PeersFound {
  const resource = held.find(({ stored }) => stored.key === ownerOf(rule.id))?.resource;
  const entries = resource && entriesOf({ block, rule, resource, sets });
  const side = SIDES[block.direction];
  const home = block.policy.namespace;
  const seen = lately.peers.of(rule.id);
  if (!entries || seen.length === 0) return { side, entries: [], home, found: [] };
  const now = shareOut(entries, seen, index, groups);
  const all = shareOut(entries, ever.peers.of(rule.id), index, groups);
  const [first, ...more] = subjectsOf(block);
  const self = more.length === 0 ? first : undefined;
  const found = entries.flatMap(
    (entry, at) =>
      findNarrower(
        at,
        entry,
        { self, lately: now[at]!, ever: all[at]! },
        { groups, known: index.known },
      ) ?? [],
  );
  return { side, entries, home, found };
}

/** Entries of one list are edited as one. */
function proposePeers(
  { side, entries, home, found }: PeersFound,
  early: string | undefined,
  target: Target | string,
): Finding["peers"] {
  const narrower = new Map(
    found.flatMap(({ at, outcome }) =>
      outcome.kind === "narrower" ? [[at, outcome.peers] as const] : [],
    ),
  );
  const edit =
    early !== undefined || narrower.size === 0 ? undefined : editOf(side, narrower, target);
  const proposal = typeof edit === "object" ? edit : undefined;
  return found.map((one) => {
    const { at, outcome, permits, used, unused, regular } = one;
    const said = (peers: readonly Peer[]): string[] => peers.map((peer) => peerText(peer, home));
    const why = outcome.kind === "left" ? outcome.why : typeof edit === "string" ? edit : undefined;
    const isProposed = outcome.kind === "narrower" && proposal !== undefined;
    const peer: BroadPeer = {
      side,
      peer: entries[at]!.text,
      permits: { ...permits },
      used: { ...used },
      unused: [...unused],
      seen: regular.seen,
      once: regular.once,
      ...(isProposed ? { proposed: said(outcome.peers) } : {}),
      ...(why === undefined || early !== undefined ? {} : { left: why }),
    };
    return { peer, proposal: isProposed ? proposal : undefined };
  });
}

function editOf(
  side: PeerSide,
  narrower: ReadonlyMap<number, readonly Peer[]>,
  target: Target | string,
): PeerProposal | string {
  if (typeof target === "string") return target;
  const { name, text, plain, maps, at, home } = target;
  const written = new Map<number, readonly string[]>();
  for (const [entry, peers] of narrower) {
    const words = peers.map((peer) => peerYaml(peer, home));
    if (words.includes(undefined)) return "our own kinds have no word for who used it";
    written.set(
      entry,
      words.flatMap((one) => one ?? []),
    );
  }
  const found = peersEdit(plain, maps, at, side, written);
  if (typeof found === "string") return found;
  return { kind: "peers", file: { name, text }, edit: found.edit };
}
