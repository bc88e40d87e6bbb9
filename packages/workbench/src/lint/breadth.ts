/** Rules that open more than a person reads into them: every port, huge prefixes, prefixes that hold pods, exceptions that are none. */
import { boxesOf, overlap } from "@bulkhead/engine";
import {
  cidrRange,
  isEmptyPorts,
  MAX_PORT,
  parseIp,
  portsOf,
  portsOfProtocol,
  rangeContains,
  TCP,
  UDP,
  type Block,
  type Peer,
  type PortMatch,
  type Rule,
  type Stage,
} from "@bulkhead/model";
import { workloadName } from "../desk/end-names.ts";
import { named, whereOf, type LintContext } from "./lint-context.ts";

/** Shorter than this and a prefix is no network that anybody runs. */
const HUGE = { 4: 12, 6: 32 } as const;
/** Where systems take ports for their own connections from (RFC 6335 §6, and Linux). */
const EPHEMERAL = [1024, 49152] as const;

type CidrPeer = Extract<Peer, { kind: "cidr" }>;
const lengthOf = ({ cidr }: CidrPeer): number => Number(cidr.split("/")[1]);
const isWhole = (peer: CidrPeer): boolean => lengthOf(peer) === 0 && peer.except.length === 0;

export function breadth(context: LintContext): void {
  const told = new Set(
    context.desk.diagnostics
      .filter(({ code }) => code === "BH0403" || code === "BH0301")
      .map(({ span }) => `${span.file}:${span.line}`),
  );
  for (const stage of context.desk.set.stages) {
    for (const block of stage.blocks) {
      for (const rule of block.rules) {
        if (rule.action !== "allow" || rule.source.line === block.source.line) continue;
        if (!told.has(`${rule.source.file}:${rule.source.line}`)) wide(rule, context);
        podsInPrefixes(block, rule, context);
        exceptions(stage, block, rule, context);
        replies(rule, context);
      }
    }
  }
}

function wide({ peers, ports, source }: Rule, { say }: LintContext): void {
  const everyPort = isEveryPort(ports);
  const everybody = peers.find(
    (peer) => peer.kind === "any" || (peer.kind === "cidr" && isWhole(peer)),
  );
  if (everybody !== undefined) {
    if (everyPort)
      say("BH0705", source, "this rule allows every port with every address", "name the ports");
    return;
  }
  for (const peer of peers) {
    if (
      peer.kind === "workloads" &&
      everyPort &&
      peer.namespaces.kind === "all" &&
      peer.selector.requirements.length === 0
    ) {
      say(
        "BH0705",
        source,
        "this rule allows every port with every pod of every namespace",
        "name the ports, or the pods",
      );
    }
    if (peer.kind !== "cidr") continue;
    const { family } = cidrRange(peer.cidr);
    if (lengthOf(peer) >= HUGE[family]) continue;
    say(
      "BH0705",
      source,
      `\`${peer.cidr}\` is ${everyPort ? "allowed whole, on every port" : "allowed whole"}`,
      "name the networks that are meant",
      everyPort ? "warning" : "info",
    );
  }
}

function isEveryPort(ports: readonly PortMatch[]): boolean {
  const set = portsOf(ports, () => []);
  return [TCP, UDP].every((protocol) => {
    const [only, ...rest] = portsOfProtocol(set, protocol);
    return only !== undefined && rest.length === 0 && only.first <= 1 && only.last === MAX_PORT;
  });
}

/** Trap 5. */
function podsInPrefixes(
  block: Block,
  { peers, source }: Rule,
  { desk, workloads, say }: LintContext,
): void {
  if (block.policy.kind !== "NetworkPolicy") return;
  for (const peer of peers) {
    if (peer.kind !== "cidr" || peer.matchesWorkloads || lengthOf(peer) === 0) continue;
    const prefix = cidrRange(peer.cidr);
    const inside = workloads.filter(({ addresses }) =>
      addresses.some(
        (address) => !desk.isStandIn(address) && rangeContains(prefix, parseIp(address)!),
      ),
    );
    if (inside.length === 0) continue;
    say(
      "BH0726",
      source,
      `\`${peer.cidr}\` holds addresses of ${named([...new Set(inside.map(workloadName))])}`,
      "whether an ipBlock is for pods, Kubernetes leaves open, and networks differ: select them by their labels",
    );
  }
}

/** Trap 5: an exception takes from its own peer, and denies nothing. */
function exceptions(stage: Stage, block: Block, rule: Rule, { say }: LintContext): void {
  for (const peer of rule.peers) {
    if (peer.kind !== "cidr" || peer.except.length === 0 || stage.mode === "firstMatch") continue;
    const left = peer.except.map((cidr): Peer => ({ ...peer, cidr, except: [] }));
    const excepted = boxesOf(block, { ...rule, peers: left });
    for (const other of stage.blocks) {
      if (other.direction !== block.direction) continue;
      const allowing = other.rules.find((one) => {
        if (one.action !== "allow" || one.source.line === other.source.line) return false;
        // In the same rule another peer may hold it.
        const peers = one === rule ? one.peers.filter((also) => also !== peer) : one.peers;
        const outside = peers.filter(({ kind }) => kind !== "workloads");
        return overlap(boxesOf(other, { ...one, peers: outside }), excepted);
      });
      if (allowing === undefined) continue;
      const isOwn = allowing === rule;
      say(
        "BH0727",
        rule.source,
        `\`except\` denies nothing: ${named(peer.except)} is allowed in part by ${isOwn ? "another peer of this rule" : "another rule"}`,
        isOwn
          ? "take the exception out of every peer"
          : `allowed by ${whereOf(other, allowing.source)}`,
      );
      break;
    }
  }
}

/** Trap 15. */
function replies({ ports, source }: Rule, { say }: LintContext): void {
  const found = ports.find(
    (port) =>
      port.kind === "range" &&
      port.last === MAX_PORT &&
      EPHEMERAL.some((first) => port.first === first),
  );
  if (found?.kind !== "range" || isEmptyPorts(portsOf([found], () => []))) return;
  say(
    "BH0735",
    source,
    `ports ${found.first}-${found.last} look like those that replies go to`,
    "replies to what is allowed always pass; this opens new connections to these ports",
  );
}
