/**
 * What single resources cannot know: rules that open everything to everyone, and rules that contradict each other.
 * Native resources are refused for it; imported ones warned about, unless the build is strict.
 */
import {
  cidrRange,
  formatSpan,
  MAX_PORT,
  portsOf,
  portsOfProtocol,
  TCP,
  UDP,
  type IpFamily,
  type IpRange,
  type Peer,
  type PortMatch,
  type ProtocolNumber,
  type Rule,
} from "@bulkhead/model";
import type { BuildContext } from "./context.ts";
import type { StagedBlock } from "./native-blocks.ts";

const FULL: Readonly<Record<IpFamily, bigint>> = { 4: (1n << 32n) - 1n, 6: (1n << 128n) - 1n };

/** Do these ranges together leave no address of the family out? Halves count as much as the whole. */
const coversFamily = (ranges: readonly IpRange[], family: IpFamily): boolean => {
  let next = 0n;
  const sorted = ranges
    .filter((range) => range.family === family)
    .toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  for (const { first, last } of sorted) {
    if (first > next) return false;
    if (last >= next) next = last + 1n;
  }
  return next > FULL[family];
};

const everyAddress = (peers: readonly Peer[]): boolean => {
  if (peers.some(({ kind }) => kind === "any")) return true;
  // Only prefixes this short can add up to a whole family within one rule that a person would write.
  const ranges = peers.flatMap((peer) =>
    peer.kind === "cidr" && peer.except.length === 0 && Number(peer.cidr.split("/")[1]) <= 8
      ? [cidrRange(peer.cidr)]
      : [],
  );
  return coversFamily(ranges, 4) || coversFamily(ranges, 6);
};

const everyPort = (ports: readonly PortMatch[], protocols: readonly ProtocolNumber[]): boolean => {
  const set = portsOf(ports, () => []);
  const whole = (protocol: number): boolean => {
    const [only, ...rest] = portsOfProtocol(set, protocol);
    return only !== undefined && rest.length === 0 && only.first <= 1 && only.last === MAX_PORT;
  };
  return protocols.every(whole);
};

const opens = (
  rule: Pick<Rule, "action" | "peers" | "ports">,
  protocols: readonly ProtocolNumber[],
): boolean =>
  rule.action === "allow" && everyAddress(rule.peers) && everyPort(rule.ports, protocols);

export const opensEverything = (rule: Pick<Rule, "action" | "peers" | "ports">): boolean =>
  opens(rule, [TCP, UDP]);

/** A mesh judges TCP alone: there a rule opens everything that does so to it, whatever is sent. */
const opensMesh = (rule: Rule): boolean => rule.l7 === undefined && opens(rule, [TCP]);

/** What other products' objects say is theirs to say: it may be warned about, never refused. */
const isNative = ({ block }: StagedBlock): boolean =>
  ["Policy", "Intent", "Exception"].includes(block.policy.kind);

/** `told`: places that were told of already; a mesh has several blocks for one rule. */
const anyToAny = (staged: StagedBlock, context: BuildContext, told: Set<string>): void => {
  const { stage, block } = staged;
  if (stage === "emergency") return;
  const imported = !isNative(staged);
  const opensAll = block.policy.kind === "AuthorizationPolicy" ? opensMesh : opensEverything;
  for (const rule of block.rules) {
    if (!opensAll(rule)) continue;
    const whom = block.direction === "ingress" ? "from every address" : "to every address";
    const what = `this rule allows every port ${whom}`;
    const where = `${formatSpan(rule.source)} ${whom}`;
    if (block.policy.kind === "AuthorizationPolicy" && told.has(where)) continue;
    told.add(where);
    if (imported) {
      context.report(
        "BH0403",
        rule.source,
        what,
        undefined,
        context.options.strict ? "error" : undefined,
      );
    } else {
      context.report(
        "BH0301",
        rule.source,
        what,
        "name the peers or the ports; only tier `emergency` may open everything",
      );
    }
  }
};

export const portKey = (ports: readonly PortMatch[]): string => {
  const names = ports.flatMap((port) =>
    port.kind === "named" ? [`${port.name}/${port.protocol}`] : [],
  );
  return JSON.stringify([portsOf(ports, () => []), names.toSorted()]);
};

interface Said {
  readonly allow: Rule[];
  readonly deny: Rule[];
}

/** Rules by everything that must be equal but the peer. */
const byWords = (blocks: readonly StagedBlock[]): readonly Said[] => {
  const groups = new Map<string, Said>();
  for (const { stage, block } of blocks) {
    const { order, direction, subject } = block;
    const where = JSON.stringify([stage, order, direction, subject]);
    for (const rule of block.rules) {
      const { action, enforce, ports } = rule;
      if (action !== "allow" && action !== "deny" && action !== "reject") continue;
      const key = `${where}${enforce}${portKey(ports)}`;
      const group = groups.get(key) ?? { allow: [], deny: [] };
      groups.set(key, group);
      group[action === "allow" ? "allow" : "deny"].push(rule);
    }
  }
  return [...groups.values()];
};

const contradictions = (blocks: readonly StagedBlock[], context: BuildContext): void => {
  for (const { allow, deny } of byWords(blocks)) {
    // Peers can be many (sets of prefixes), and contradictions are rare: they are looked at only here.
    if (allow.length === 0 || deny.length === 0) continue;
    const allowed = new Map<string, Rule>();
    for (const rule of allow)
      for (const peer of rule.peers) allowed.set(JSON.stringify(peer), rule);
    for (const rule of deny) {
      const peer = rule.peers.find((one) => allowed.has(JSON.stringify(one)));
      const other = peer && allowed.get(JSON.stringify(peer));
      if (other === undefined) continue;
      context.report(
        "BH0304",
        rule.source,
        `this rule says \`${rule.action}\` where another of the same tier and priority says \`allow\``,
        `the other is \`${other.id}\` at ${formatSpan(other.source)}`,
      );
    }
  }
};

export const lintBlocks = (blocks: readonly StagedBlock[], context: BuildContext): void => {
  const told = new Set<string>();
  for (const block of blocks) anyToAny(block, context, told);
  contradictions(blocks.filter(isNative), context);
};
