/** Whom the common form means, as the ends of Calico's rules: by selectors of pods and namespaces, or by prefixes. */
import {
  isReservedLabel,
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Block,
  type Cidr,
  type Peer,
  type Requirement,
  type Rule,
  type SourceSpan,
} from "@bulkhead/model";
import { NAME_LABEL, narrowed, type ExportedObject, type Losses } from "../export/exported.ts";
import { HOST_ENDPOINT_LABEL, ownKey } from "./labels.ts";

export interface Printing {
  /** Undefined: a policy of the whole cluster. */
  readonly home: string | undefined;
  readonly losses: Losses;
}

type Chosen = Extract<Peer, { kind: "workloads" }>;

/** Pods have it, and host endpoints do not; nor do sets of networks of the whole cluster. */
const IS_POD = "has(projectcalico.org/namespace)";
/** As `all()` of namespaces is meant: whoever is in one. */
const ANY_NAMESPACE = "has(projectcalico.org/name)";

const quoted = (values: readonly string[]): string =>
  `{${values.map((value) => `'${value}'`).join(", ")}}`;

const clause = (requirement: Requirement, key: string): string => {
  switch (requirement.operator) {
    case "Exists":
      return `has(${key})`;
    case "DoesNotExist":
      return `!has(${key})`;
    case "In":
    case "NotIn": {
      const [only, ...more] = requirement.values;
      const isIn = requirement.operator === "In";
      if (only !== undefined && more.length === 0) return `${key} ${isIn ? "==" : "!="} '${only}'`;
      return `${key} ${isIn ? "in" : "not in"} ${quoted(requirement.values)}`;
    }
  }
};

/** Null: only somebody else gives such labels, or nobody can ask for them there. */
const podKey = (key: string): string | null => {
  if (key === SERVICE_ACCOUNT_LABEL) return "projectcalico.org/serviceaccount";
  const plain = key.replace(/^:/, "");
  if (isReservedLabel(key)) return ownKey(plain) === key ? plain : null;
  return ownKey(key) === key ? key : null;
};

const podClauses = (
  requirements: readonly Requirement[],
  source: SourceSpan,
  losses: Losses,
): readonly string[] | null => {
  const clauses: string[] = [];
  for (const requirement of requirements) {
    const key = podKey(requirement.key);
    if (key === null) {
      losses.refuse(source, `this asks for \`${requirement.key}\``);
      return null;
    }
    clauses.push(clause(requirement, key));
  }
  return clauses;
};

const namespaceClauses = ({ namespaces }: Chosen): readonly string[] => {
  switch (namespaces.kind) {
    case "all":
      return [];
    case "named":
      return [`projectcalico.org/name == '${namespaces.name}'`];
    case "selected":
      return namespaces.selector.requirements.map((one) =>
        clause(one, one.key === NAME_LABEL ? "projectcalico.org/name" : one.key),
      );
  }
};

const joined = (clauses: readonly string[]): string => clauses.join(" && ");

/** What only excludes some must not hold those who are in none. */
const namespacesOf = (chosen: Chosen): string => {
  const clauses = namespaceClauses(chosen);
  return chosen.namespaces.kind === "named" ? joined(clauses) : joined([ANY_NAMESPACE, ...clauses]);
};

const isOfNodes = ({ namespaces }: Chosen): boolean =>
  namespaces.kind === "named" && namespaces.name === NODES_NAMESPACE;

const isHost = ({ key, operator }: Requirement): boolean =>
  key === HOST_ENDPOINT_LABEL && operator === "Exists";

export interface Choice {
  readonly selector?: string;
  readonly namespaceSelector?: string;
}

/** Null: what it says was told to be missing. */
export const choiceOf = (
  chosen: Chosen,
  source: SourceSpan,
  { home, losses }: Printing,
): Choice | null => {
  const { requirements } = chosen.selector;
  if (isOfNodes(chosen)) {
    const own = podClauses(
      requirements.filter((one) => !isHost(one)),
      source,
      losses,
    );
    if (own === null) return null;
    return home === undefined
      ? { selector: joined([`!${IS_POD}`, ...own]) }
      : { namespaceSelector: "global()", ...(own.length === 0 ? {} : { selector: joined(own) }) };
  }
  const own = podClauses(requirements, source, losses);
  if (own === null) return null;
  const { namespaces } = chosen;
  if (home !== undefined && namespaces.kind === "named" && namespaces.name === home)
    return { selector: own.length === 0 ? "all()" : joined(own) };
  return {
    namespaceSelector: namespacesOf(chosen),
    ...(own.length === 0 ? {} : { selector: joined(own) }),
  };
};

export interface Subject extends Choice {
  /** Undefined: it is the whole cluster's. */
  readonly home: string | undefined;
}

/** Where a policy with this subject lives, and how it names it; null: it was told that none can. */
export const subjectOf = (
  { subject, source }: Block,
  isGlobal: boolean,
  losses: Losses,
): Subject | null => {
  if (subject.kind === "all-workloads") return { home: undefined, selector: IS_POD };
  if (isOfNodes(subject)) {
    if (!subject.selector.requirements.some(isHost)) {
      losses.refuse(source, "this policy is for nodes");
      return null;
    }
    const choice = choiceOf(subject, source, { home: undefined, losses });
    return choice && { home: undefined, ...choice };
  }
  const { namespaces } = subject;
  const home = namespaces.kind === "named" && !isGlobal ? namespaces.name : undefined;
  const own = podClauses(subject.selector.requirements, source, losses);
  if (own === null) return null;
  if (home !== undefined) return { home, ...(own.length === 0 ? {} : { selector: joined(own) }) };
  const places = namespaceClauses(subject);
  return {
    home,
    selector: joined([IS_POD, ...own]),
    ...(places.length === 0 ? {} : { namespaceSelector: joined(places) }),
  };
};

/** A rule there is about one family. */
export const isSix = (cidr: Cidr): boolean => cidr.includes(":");

const WHOLE: readonly Cidr[] = ["0.0.0.0/0", "::/0"];

/** All who are no pods: what is left when only pods are excluded. */
const outsiders = (peers: readonly Peer[]): readonly Peer[] | null => {
  const found = [
    ...WHOLE.map((cidr) =>
      peers.find(
        (peer) =>
          peer.kind === "cidr" &&
          peer.cidr === cidr &&
          peer.except.length === 0 &&
          !peer.matchesWorkloads,
      ),
    ),
    peers.find((peer) => peer.kind === "entity" && peer.entity === "host"),
    peers.find(
      (peer) =>
        peer.kind === "workloads" &&
        isOfNodes(peer) &&
        peer.selector.requirements.every(
          ({ key, operator }) => key === HOST_ENDPOINT_LABEL && operator === "DoesNotExist",
        ),
    ),
  ];
  const all = found.flatMap((peer) => peer ?? []);
  return all.length === found.length ? all : null;
};
/** In a namespace, what excludes pods means other pods of it: only a policy of the whole cluster means everybody else. */
export const needsCluster = ({ rules }: Block): boolean =>
  rules.some(
    ({ peers }) => outsiders(peers) !== null || peers.some(({ kind }) => kind === "entity"),
  );

const NO_POD: ExportedObject = { notSelector: IS_POD };

/** One end a rule; `everyone`: it stays out. */
export const endsOf = (rule: Rule, printing: Printing): readonly ExportedObject[] | "everyone" => {
  if (rule.peers.some(({ kind }) => kind === "any")) return "everyone";
  const { losses } = printing;
  const outside = outsiders(rule.peers) ?? [];
  const nets: Cidr[] = [];
  const ends = rule.peers
    .filter((peer) => !outside.includes(peer))
    .flatMap((peer): ExportedObject[] => {
      switch (peer.kind) {
        case "any":
          return [];
        case "workloads": {
          if (isOfNodes(peer) && !peer.selector.requirements.some(isHost)) {
            narrowed(rule, "this rule speaks of nodes", losses);
            return [];
          }
          const choice = choiceOf(peer, rule.source, printing);
          return choice === null ? [] : [{ ...choice }];
        }
        case "cidr": {
          const { cidr, except, matchesWorkloads } = peer;
          const what = `\`${cidr}\` without pods and nodes`;
          if (!matchesWorkloads && losses.choose(rule, what) !== "widen") return [];
          if (except.length > 0) return [{ nets: [cidr], notNets: except }];
          nets.push(cidr);
          return [];
        }
        case "entity": {
          const what = `this rule speaks of \`${peer.entity}\``;
          return losses.choose(rule, what) === "widen" ? [NO_POD] : [];
        }
        case "domain":
          narrowed(rule, `this rule names \`${peer.pattern}\``, losses);
          return [];
      }
    });
  return [
    ...ends,
    ...[...Map.groupBy(nets, isSix).values()].map((some) => ({ nets: some })),
    ...(outside.length === 0 ? [] : [NO_POD]),
  ];
};
