/**
 * What rules ask that is neither an end nor a port: the request, a name of the destination, who vouches for the ends. Under
 * every combination of answers a policy set is a plain one, so what holds under all of them holds whatever travels.
 */
import type {
  FlowQuery,
  Obligation,
  Peer,
  PolicySet,
  Predicate,
  Request,
  Rule,
  TextMatch,
} from "@bulkhead/model";
import { withProof } from "../bounds.ts";
import { ruleInForce } from "../requests.ts";
import { canBothHold, isWithin } from "./predicate-order.ts";

/** One yes-or-no question, by its text: the same text is the same question in whatever set. */
type Asked = string;

/** The answers that are yes; `opaque`: the connection carries nothing that can be looked into. */
export interface Circumstances {
  readonly yes: ReadonlySet<Asked>;
  readonly opaque: boolean;
}

type DomainPeer = Extract<Peer, { kind: "domain" }>;

const AUTH = "auth";
const ofRequest = (predicate: Predicate): Asked => `request ${JSON.stringify(predicate)}`;
const ofJudge = (id: Rule["id"]): Asked => `judge ${id}`;
const ofName = ({ regex }: DomainPeer): Asked => `name ${regex}`;

function* rulesOf({ stages }: PolicySet): Iterable<Rule> {
  for (const { blocks } of stages) for (const { rules } of blocks) yield* rules;
}

const isDomain = (peer: Peer): peer is DomainPeer => peer.kind === "domain";

/** With the predicate, where it is one of requests. */
function questionsOf(sets: readonly PolicySet[]): Map<Asked, Predicate | undefined> {
  const asked = new Map<Asked, Predicate | undefined>();
  for (const set of sets) {
    for (const rule of rulesOf(set)) {
      for (const predicate of rule.l7 ?? []) asked.set(ofRequest(predicate), predicate);
      if (rule.auth === "required") asked.set(AUTH, undefined);
      if (rule.action === "custom") asked.set(ofJudge(rule.id), undefined);
      for (const peer of rule.peers) if (isDomain(peer)) asked.set(ofName(peer), undefined);
    }
  }
  return asked;
}

/** Every combination but such as cannot occur for plain reasons; null: there are more than `most`. */
export function circumstancesOf(
  sets: readonly PolicySet[],
  most: number,
): readonly Circumstances[] | null {
  const questions = questionsOf(sets);
  let all: Combination[] = [{ yes: [], held: [], lacking: [] }];
  for (const [question, predicate] of questions) {
    all = all.flatMap((one) => bothAnswers(one, question, predicate));
    if (all.length > most) return null;
  }
  const told = all.map(({ yes }) => ({ yes: new Set(yes), opaque: false }));
  if (![...questions.values()].some((predicate) => predicate !== undefined)) return told;
  const silent = all.filter(({ held }) => held.length === 0);
  return [...told, ...silent.map(({ yes }) => ({ yes: new Set(yes), opaque: true }))];
}

interface Combination {
  readonly yes: readonly Asked[];
  readonly held: readonly Predicate[];
  readonly lacking: readonly Predicate[];
}

function bothAnswers(
  { yes, held, lacking }: Combination,
  question: Asked,
  predicate: Predicate | undefined,
): Combination[] {
  const withIt = [...yes, question];
  if (predicate === undefined) {
    return [
      { yes, held, lacking },
      { yes: withIt, held, lacking },
    ];
  }
  const canLack = !held.some((one) => isWithin(one, predicate));
  const canHold =
    held.every((one) => canBothHold(one, predicate)) &&
    !lacking.some((one) => isWithin(predicate, one));
  return [
    ...(canLack ? [{ yes, held, lacking: [...lacking, predicate] }] : []),
    ...(canHold ? [{ yes: withIt, held: [...held, predicate], lacking }] : []),
  ];
}

/** The set as it judges under these circumstances: nothing in it asks for more than ends and ports. */
export function under(given: PolicySet, circumstances: Circumstances): PolicySet {
  const set = withProof(given, circumstances.yes.has(AUTH));
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.flatMap((rule) => plainRule(rule, circumstances)),
      })),
    })),
  };
}

function plainRule(rule: Rule, { yes, opaque }: Circumstances): Rule[] {
  const { l7, l7Mode, onOpaque, ...rest } = rule;
  const peers = rule.peers.flatMap((peer): Peer[] => {
    if (!isDomain(peer)) return [peer];
    return yes.has(ofName(peer)) ? ANYWHERE : [];
  });
  const plain = { ...rest, peers };
  if (rule.action === "custom")
    return yes.has(ofJudge(rule.id)) ? [] : [{ ...plain, action: "deny" }];
  if (l7 === undefined) return [plain];
  const held = opaque
    ? onOpaque === "widen"
    : l7.some((predicate) => yes.has(ofRequest(predicate)));
  // What becomes of it is the reference's word; only whether its predicates hold is ours.
  const asking = { ...plain, l7, ...(l7Mode === undefined ? {} : { l7Mode }) };
  const assume = held === (rule.action === "allow") ? "best" : "worst";
  const inForce = ruleInForce(asking, undefined, assume);
  return inForce === null ? [] : [{ ...plain, action: inForce.action }];
}

/** Of what no packet tells. */
export function isMet(obligation: Obligation, { yes }: Circumstances): boolean {
  switch (obligation.kind) {
    case "auth":
      return yes.has(AUTH);
    case "external":
      return obligation.rules.every((rule) => yes.has(ofJudge(rule)));
    case "only":
    case "unless":
      return false;
  }
}

/** Every address of the world, of groups too. */
const ANYWHERE: Peer[] = (["0.0.0.0/0", "::/0"] as const).map((cidr) => ({
  kind: "cidr",
  cidr,
  except: [],
  matchesWorkloads: false,
}));

/** The set if every address of the world had all names that rules allow, and none that they deny; null: no rule asks for names. */
export function withEveryName(set: PolicySet): PolicySet | null {
  if (![...rulesOf(set)].some(({ peers }) => peers.some(isDomain))) return null;
  const named = (rule: Rule): Rule => ({
    ...rule,
    peers: rule.peers.flatMap((peer): readonly Peer[] => {
      if (!isDomain(peer)) return [peer];
      return rule.action === "allow" || rule.action === "pass" ? ANYWHERE : [];
    }),
  });
  return {
    ...set,
    stages: set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({ ...block, rules: block.rules.map(named) })),
    })),
  };
}

/** Names that rules of the set may be asking for, one for each pattern. */
export function sampleNames(set: PolicySet): readonly string[] {
  const patterns = [...rulesOf(set)].flatMap(({ peers }) => peers.filter(isDomain));
  return [...new Set(patterns.map(sampleName))];
}

/**
 * Flows that may be what such circumstances stand for: requests and names made from what the rules ask for. Perhaps none of
 * them is; whoever finds one by them asks the reference again.
 */
export function* flowsUnder(
  query: FlowQuery,
  sets: readonly PolicySet[],
  { opaque, yes }: Circumstances,
): Iterable<FlowQuery> {
  const rules = sets.flatMap((set) => [...rulesOf(set)]);
  const patterns = rules.flatMap(({ peers }) => peers.filter(isDomain));
  const named = patterns.filter((peer) => yes.has(ofName(peer))).map(sampleName);
  const naming = named.length === 0 ? query : { ...query, names: [...new Set(named)] };
  if (opaque) {
    yield { ...naming, request: { kind: "opaque" } };
    return;
  }
  const asked = rules.flatMap((rule) => rule.l7 ?? []);
  if (asked.length === 0) {
    yield naming;
    return;
  }
  const some = [...asked.flatMap(sampleRequests), ELSE];
  for (const request of some) yield { ...naming, request };
  // Requests of one kind that fit several predicates at once.
  for (const one of some) {
    for (const other of some) {
      if (one.kind === "opaque" || other.kind !== one.kind) continue;
      const attributes = { ...one.attributes, ...other.attributes };
      yield { ...naming, request: { kind: one.kind, attributes } };
    }
  }
}

/** That few rules ask for. */
const ELSE: Request = {
  kind: "http",
  attributes: { method: "TRACE", path: "/else", host: "else" },
};

function sampleName({ pattern }: DomainPeer): string {
  return pattern
    .replace(/^\*\*\./, "a.")
    .replaceAll("*", "a")
    .replace(/\.$/, "")
    .toLowerCase();
}

/** With every text that a condition names, the others' first. */
function sampleRequests({ kind, conditions }: Predicate): Request[] {
  const attributes: Record<string, string> = {};
  if (kind === "http" || kind === "any") Object.assign(attributes, { method: "GET", path: "/" });
  for (const { attribute, anyOf } of conditions) {
    if (anyOf[0] !== undefined) attributes[attribute] = sampleText(anyOf[0]);
  }
  const others = conditions.flatMap(({ attribute, anyOf }) =>
    anyOf.slice(1, MOST_TEXTS).map((match) => ({ ...attributes, [attribute]: sampleText(match) })),
  );
  return [attributes, ...others].map((told) => ({
    kind: kind === "any" ? "http" : kind,
    attributes: told,
  }));
}

const MOST_TEXTS = 8;

function sampleText(match: TextMatch): string {
  switch (match.kind) {
    case "exact":
      return match.value;
    case "prefix":
      return `${match.value}a`;
    case "suffix":
      return `a${match.value}`;
    case "present":
      return "a";
    case "cidr":
      return match.value.replace(/\/\d+$/, "");
    case "regex":
      return sampleOf(match.value);
  }
}

/** Most often a text that the expression matches; if it is none, nothing is claimed of it. */
function sampleOf(expression: string): string {
  return expression
    .replaceAll(/^\^|\$$/g, "")
    .replaceAll(/\[\^[^\]]*\]|\\w|(?<!\\)\./g, "a")
    .replaceAll(/\[(.)[^\]]*\]/g, "$1")
    .replaceAll("\\d", "1")
    .replaceAll(/(.)\{(\d+)[^}]*\}/g, (_all, one: string, times: string) =>
      one.repeat(Number(times)),
    )
    .replaceAll(/(?<!\\)[*+?]/g, "")
    .replaceAll("\\", "");
}
