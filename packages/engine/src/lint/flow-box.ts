/**
 * Sets of flows as unions of boxes: what is asked of each label of the two ends, of the peer's address, of the port. They
 * speak of every inventory that could be, not only of the one at hand, so what is found here stays true when workloads
 * come and go. Names, requests and ports called by a name are asked yes or no, whatever the question.
 */
import {
  isReservedNamespace,
  cidrRange,
  GROUP_RANGES,
  intersect,
  isEmptyPorts,
  portsOf,
  subtract as subtractPorts,
  allPorts,
  wholeRange,
  type Block,
  type IpRange,
  type NamespaceScope,
  type Peer,
  type PortMatch,
  type PortSet,
  type Rule,
  type Selector,
} from "@bulkhead/model";
import { NAMESPACE_NAME_LABEL } from "../inventory-index.ts";
import { mayGoWith } from "../matching.ts";
import {
  ABSENT,
  complement,
  domainOf,
  isNothing,
  meet,
  oneOf,
  PRESENT,
  type Domain,
} from "./label-domain.ts";

export interface Box {
  /** By what is asked: `subject app`, `peer's namespace team`, `peer is`, `called http/6`. What is not asked may be anything. */
  readonly asked: ReadonlyMap<string, Domain>;
  /** Of the peer; sorted, disjoint. */
  readonly addresses: readonly IpRange[];
  readonly ports: PortSet;
}

const EVERYWHERE: readonly IpRange[] = [wholeRange(4), wholeRange(6)];
const WHAT = "peer is";
/** A process is at the machine's own address, and has labels all the same. */
const [WORKLOAD, PROCESS, HOST, WORLD] = ["workload", "process", "host", "world"] as const;

/** Of the flows that a rule matches. Of one with `terminal` requests: those that it takes, whatever it then says. */
export function boxesOf(block: Pick<Block, "subject" | "direction">, rule: Rule): readonly Box[] {
  const questions =
    rule.l7 === undefined || rule.l7Mode === "terminal"
      ? [undefined]
      : rule.l7.map((one) => `request ${rule.onOpaque ?? ""} ${JSON.stringify(one)}`);
  const subject = subjectAsked(block.subject);
  return rule.peers.flatMap((peer) =>
    rule.ports.flatMap((port) => {
      if (!mayGoWith(port, peer, block.direction)) return [];
      return questions.flatMap((question) => {
        const { asked, addresses } = peerAsked(peer);
        const { called, ports } = portAsked(port);
        const flags = [called, question].filter((flag) => flag !== undefined);
        const all = [...subject, ...asked, ...flags.map((flag) => [flag, PRESENT] as const)];
        const box = { asked: together(all), addresses, ports };
        return isEmpty(box) ? [] : [box];
      });
    }),
  );
}

export function areDisjoint(a: Box, b: Box): boolean {
  for (const [key, domain] of b.asked) {
    const known = a.asked.get(key);
    if (known !== undefined && isNothing(meet(known, domain))) return true;
  }
  if (a.ports !== b.ports && isEmptyPorts(intersect(a.ports, b.ports))) return true;
  return a.addresses !== b.addresses && rangesIn(a.addresses, b.addresses).length === 0;
}

/** What of `a` is not in `b`, in disjoint boxes. */
export function without(a: Box, b: Box): readonly Box[] {
  if (areDisjoint(a, b)) return [a];
  const left: Box[] = [];
  let rest = a;
  for (const [key, domain] of b.asked) {
    const known = rest.asked.get(key);
    const outside = complement(domain);
    const beyond = known === undefined ? outside : meet(known, outside);
    if (!isNothing(beyond)) left.push({ ...rest, asked: new Map(rest.asked).set(key, beyond) });
    const within = known === undefined ? domain : meet(known, domain);
    rest = { ...rest, asked: new Map(rest.asked).set(key, within) };
  }
  const addresses = rangesWithout(rest.addresses, b.addresses);
  if (addresses.length > 0) left.push({ ...rest, addresses });
  rest = { ...rest, addresses: rangesIn(rest.addresses, b.addresses) };
  const ports = subtractPorts(rest.ports, b.ports);
  if (!isEmptyPorts(ports)) left.push({ ...rest, ports });
  return left;
}

function isEmpty({ asked, addresses, ports }: Box): boolean {
  return isEmptyPorts(ports) || addresses.length === 0 || [...asked.values()].some(isNothing);
}

type Question = readonly [string, Domain];

function together(questions: readonly Question[]): Map<string, Domain> {
  const asked = new Map<string, Domain>();
  for (const [key, domain] of questions) {
    const known = asked.get(key);
    asked.set(key, known === undefined ? domain : meet(known, domain));
  }
  return asked;
}

function subjectAsked(subject: Block["subject"]): readonly Question[] {
  return subject.kind === "all-workloads"
    ? scopeAsked("subject", { kind: "all" })
    : [...scopeAsked("subject", subject.namespaces), ...labelsAsked("subject", subject.selector)];
}

function peerAsked(peer: Peer): Pick<Box, "addresses"> & { readonly asked: readonly Question[] } {
  switch (peer.kind) {
    case "any":
      return { asked: [], addresses: EVERYWHERE };
    case "workloads":
      return {
        asked: [
          [WHAT, oneOf(WORKLOAD, PROCESS)],
          ...scopeAsked("peer", peer.namespaces),
          ...labelsAsked("peer", peer.selector),
        ],
        addresses: EVERYWHERE,
      };
    case "cidr":
      return {
        asked: peer.matchesWorkloads ? [] : [[WHAT, oneOf(WORLD)]],
        addresses: rangesWithout([cidrRange(peer.cidr)], peer.except.map(cidrRange)),
      };
    case "entity":
      return peer.entity === "host"
        ? { asked: [[WHAT, oneOf(HOST, PROCESS)]], addresses: EVERYWHERE }
        : { asked: [[WHAT, oneOf(WORLD)]], addresses: rangesWithout(EVERYWHERE, GROUP_RANGES) };
    case "domain":
      return {
        asked: [
          [WHAT, oneOf(WORLD)],
          [`named ${peer.regex}`, PRESENT],
        ],
        addresses: EVERYWHERE,
      };
  }
}

function portAsked(port: PortMatch): { readonly called?: string; readonly ports: PortSet } {
  if (port.kind === "all") return { ports: allPorts };
  if (port.kind !== "named") return { ports: portsOf([port], () => []) };
  const { protocol, name } = port;
  const ports = portsOf([{ kind: "protocol", protocol }], () => []);
  return { called: `called ${name}/${protocol}`, ports };
}

/** Whose namespace begins with `:` is met by this very name alone. */
function scopeAsked(end: string, scope: NamespaceScope): readonly Question[] {
  const reserved = `${end} is reserved`;
  switch (scope.kind) {
    case "all":
      return [[reserved, ABSENT]];
    case "named":
      return isReservedNamespace(scope.name)
        ? [[reserved, oneOf(scope.name)]]
        : [
            [reserved, ABSENT],
            [`${end}'s namespace ${NAMESPACE_NAME_LABEL}`, oneOf(scope.name)],
          ];
    case "selected":
      return [[reserved, ABSENT], ...labelsAsked(`${end}'s namespace`, scope.selector)];
  }
}

function labelsAsked(end: string, { requirements }: Selector): readonly Question[] {
  return requirements.map((one) => [`${end} ${one.key}`, domainOf(one)]);
}

function rangesIn(a: readonly IpRange[], b: readonly IpRange[]): readonly IpRange[] {
  return a.flatMap((one) =>
    b.flatMap((other) => {
      if (one.family !== other.family) return [];
      const first = one.first > other.first ? one.first : other.first;
      const last = one.last < other.last ? one.last : other.last;
      return first <= last ? [{ family: one.family, first, last }] : [];
    }),
  );
}

function rangesWithout(a: readonly IpRange[], b: readonly IpRange[]): readonly IpRange[] {
  return b.reduce<readonly IpRange[]>(
    (left, cut) =>
      left.flatMap((one) => {
        if (one.family !== cut.family || cut.last < one.first || one.last < cut.first) return [one];
        return [
          ...(one.first < cut.first ? [{ ...one, last: cut.first - 1n }] : []),
          ...(cut.last < one.last ? [{ ...one, first: cut.last + 1n }] : []),
        ];
      }),
    a,
  );
}
