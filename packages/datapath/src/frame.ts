/**
 * The fixed part of `table inet bulkhead`: base chains, exemptions, what happens to packets without a connection, and
 * how drops are quieted. Every packet is judged by its connection's original direction: source and destination come
 * from conntrack's tuples, so replies and ICMP errors do the same look-up, and no blanket "established accept" exists.
 */
import { NFLOG_GROUP, NO_COOKIE, formatLogPrefix } from "./log-prefix.ts";
import type { LogPrefix } from "./log-prefix.ts";
import type { Canary } from "@bulkhead/model";
import { writeDnsTaps } from "./dns-taps.ts";
import { canaryRules } from "./canary-rules.ts";
import { BOTH, V4, V6 } from "./family.ts";
import type { FamilyWords } from "./family.ts";
import { judgedName, subjectsName } from "./names.ts";
import type { Tree } from "./names.ts";
import { writeQuiet, writeQuietSets } from "./quiet.ts";
import type { TableBuilder } from "./ruleset.ts";

/** What passes without being judged. Printed by `status`; a change of this list is a change of version. */
export const EXEMPTIONS = {
  version: 5,
  list: [
    "neighbour discovery (ICMPv6 types 133-136) with hop limit 255",
    "multicast listener discovery (ICMPv6 types 130-132, 143) to groups, from link-local addresses or none, with hop limit 1",
    "ICMP errors about a connection that is allowed",
    "ICMP errors and TCP resets that this machine itself sends about a connection",
    "loopback between processes that no policy names",
    "packets of this machine that have no socket of their own, at ports whose owner nobody knows: the end of a handshake, and what follows a connection's end",
    "the machine's own resolver, at the addresses and ports that are declared",
    "DHCP and DHCPv6 between the machine and workloads on interfaces where it is declared to serve them",
  ],
} as const;

export const LOCAL = { 4: "local4", 6: "local6" } as const;
export const HOST = { 4: "host4", 6: "host6" } as const;
export const SELF = { 4: "self4", 6: "self6" } as const;

const LIVE_EGRESS: Tree = { plane: "live", direction: "egress" };
const LIVE_INGRESS: Tree = { plane: "live", direction: "ingress" };
const SHADOW_EGRESS: Tree = { plane: "shadow", direction: "egress" };
const SHADOW_INGRESS: Tree = { plane: "shadow", direction: "ingress" };
const CANARY_EGRESS: Tree = { plane: "canary", direction: "egress" };
const CANARY_INGRESS: Tree = { plane: "canary", direction: "ingress" };

const each = (write: (words: FamilyWords) => string): readonly string[] => BOTH.map(write);

const judge = (egress: Tree, ingress: Tree, between: readonly string[]): readonly string[] => [
  ...each(({ source, family }) => `${source} vmap @${subjectsName(egress, family)}`),
  ...between,
  ...each(({ destination, family }) => `${destination} vmap @${subjectsName(ingress, family)}`),
];

export const logRule = (prefix: string): string => `log prefix "${prefix}" group ${NFLOG_GROUP}`;

/**
 * Rules that log a packet, each with `match` before it and `end` after it. `telling`: connections with a translated
 * destination are told apart, for what they addressed decides whether they take part in a rollout.
 */
export const logRules = (
  prefix: LogPrefix,
  telling: boolean,
  end: string,
  match = "",
): readonly string[] => [
  ...(telling
    ? [`${match}ct status dnat ${logRule(formatLogPrefix({ ...prefix, translated: true }))} ${end}`]
    : []),
  `${match}${logRule(formatLogPrefix(prefix))} ${end}`.trimEnd(),
];

export const FORWARDED: LogPrefix = { verdict: "forwarded", cookie: NO_COOKIE, reply: false };

/** Nodes' own traffic is exempt where the machine is certainly its source: never in `forward`. */
export const NODE_EXEMPT_RULES: readonly string[] = each(
  ({ source, family }) => `${source} @${HOST[family]} goto from_host`,
);

export const base = (hook: string, priority = 0): string =>
  `type filter hook ${hook} priority ${priority}; policy accept;`;

const stray = (counter: string): string => `counter name "${counter}" drop`;

const FALSE_SOURCE = "false_source";

/**
 * A workload's address on a packet from where the workload is not: the network, say. Ports of bridges have their own
 * guards, and a bridge need not have a route to what hangs on it.
 */
export const falseSources = (table: TableBuilder): readonly string[] => {
  table.counter(FALSE_SOURCE);
  return each(
    ({ packetSource, packetDestination, family }) =>
      `${packetSource} @${LOCAL[family]} ${packetDestination} @${judgedName(LIVE_INGRESS, family)} meta iifkind != "bridge" fib saddr . iif oif missing ${stray(FALSE_SOURCE)}`,
  );
};

/**
 * Nothing that is forwarded begins in the machine's own name: what the machine itself sends is in `output`. Whoever wears its
 * address comes by the network, or by a bridge whose ports have no guard.
 */
const falseMachine = (): readonly string[] =>
  each(
    ({ packetSource, packetDestination, family }) =>
      `ct state new ${packetSource} @${HOST[family]} ${packetDestination} @${judgedName(LIVE_INGRESS, family)} ${stray(FALSE_SOURCE)}`,
  );

/** Packets of established connections pass as few rules as can be: each costs some ten nanoseconds. */
const writeHook = (
  table: TableBuilder,
  hook: "forward" | "input" | "output",
  before: readonly string[],
  between: readonly string[],
  onNew: string,
  canary: Canary | undefined,
): void => {
  const taking = `${hook}_canary`;
  const part = (words: FamilyWords): readonly string[] =>
    canary === undefined ? [] : canaryRules(canary, words, taking);
  const steady = ({ source, destination, family }: FamilyWords): readonly string[] => [
    `${source} vmap @${subjectsName(LIVE_EGRESS, family)}`,
    ...between.filter((rule) => rule.startsWith(source)),
    `${destination} vmap @${subjectsName(LIVE_INGRESS, family)}`,
  ];
  table.chain(
    hook,
    [
      ...before,
      `ct state != established goto ${hook}_fresh`,
      `meta nfproto ipv6 goto ${hook}_steady6`,
      ...part(V4),
      ...steady(V4),
    ],
    base(hook),
  );
  table.chain(`${hook}_steady6`, [...part(V6), ...steady(V6)]);
  table.chain(`${hook}_fresh`, [
    ...(hook === "output" ? [] : falseSources(table)),
    "jump unusual",
    ...(hook === "forward" ? falseMachine() : []),
    ...BOTH.flatMap(part),
    ...judge(LIVE_EGRESS, LIVE_INGRESS, between),
    `ct state new goto ${onNew}`,
  ]);
  // Strays and guards have had their say by now, and they go by what is in force for all.
  if (canary !== undefined)
    table.chain(taking, [
      ...judge(CANARY_EGRESS, CANARY_INGRESS, between),
      `ct state new goto ${onNew}`,
    ]);
};

export interface FrameOptions {
  readonly nodeExempt: boolean;
  readonly canary: Canary | undefined;
  /** Rules for links that nobody knows. */
  readonly newLinks: readonly string[];
  /** The machine's processes are known: `process-hooks.ts` writes `input` and `output`. */
  readonly processes: boolean;
}

/** Later packets of a connection are no news. */
export const FIRST_ONLY = "ct original packets > 1 return";
/** What this machine sends by itself: our own refusals and the stack's errors travel as related, and their flow may be denied. */
export const OWN_ERRORS: readonly string[] = [
  "meta l4proto { 1, 58 } ct state related return",
  "ct state related tcp flags rst / fin,syn,rst return",
];

/** `input` and `output` where nothing is known of the machine's own processes. */
const writeLocalHooks = (
  table: TableBuilder,
  nodeExempt: boolean,
  canary: Canary | undefined,
): void => {
  const between = nodeExempt ? NODE_EXEMPT_RULES : [];
  writeHook(table, "input", [`iifname "lo" return`], between, "new_local", canary);
  writeHook(table, "output", [`oifname "lo" return`, ...OWN_ERRORS], between, "new_local", canary);
};

const writeNewLocal = (table: TableBuilder, nodeExempt: boolean): void => {
  const between = nodeExempt ? NODE_EXEMPT_RULES : [];
  table.chain("new_local", [
    FIRST_ONLY,
    ...judge(SHADOW_EGRESS, SHADOW_INGRESS, between),
    "goto note_local",
  ]);
  if (!nodeExempt) return;
  table.chain("from_host", ["ct state new goto note_new"]);
  table.chain("note_new", [FIRST_ONLY, "goto note_local"]);
};

/** Writes all chains that do not depend on the policy's content. */
export const writeFrame = (
  table: TableBuilder,
  { nodeExempt, canary, newLinks, processes }: FrameOptions,
): void => {
  // hook ─┬─ established ─ egress of the source, ingress of the destination: jump class → row → leaf → return
  //       │  while a rollout is under way: its bucket first, and who takes part goes through look-ups of its own
  //       └─ else: exemptions and strays, the same look-ups, then the shadow trees and one log message
  writeHook(table, "forward", newLinks, [], "new_forward", canary);
  if (!processes) writeLocalHooks(table, nodeExempt, canary);
  table.chain("unusual", [
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
    // A hop limit of 1 is what is left of 2 where a packet is routed; who may speak on one link only is not routed.
    "ip6 saddr fe80::/10 ip6 daddr ff00::/8 icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept",
    "ip6 saddr :: ip6 daddr ff00::/8 icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } ip6 hoplimit 1 accept",
    "ct state related,new tcp flags != syn / fin,syn,rst,ack goto not_syn",
    "ct state invalid,untracked goto no_connection",
  ]);
  const notSyn = table.counter("not_syn");
  table.chain("not_syn", [
    ...each(
      ({ source, family }) => `${source} @${judgedName(LIVE_EGRESS, family)} ${stray(notSyn)}`,
    ),
    ...each(
      ({ destination, family }) =>
        `${destination} @${judgedName(LIVE_INGRESS, family)} ${stray(notSyn)}`,
    ),
  ]);
  const none = table.counter("no_connection");
  table.chain("no_connection", [
    ...each(
      ({ packetSource, family }) =>
        `${packetSource} @${judgedName(LIVE_EGRESS, family)} ${stray(none)}`,
    ),
    ...each(
      ({ packetDestination, family }) =>
        `${packetDestination} @${judgedName(LIVE_INGRESS, family)} ${stray(none)}`,
    ),
  ]);
  const shadows = judge(SHADOW_EGRESS, SHADOW_INGRESS, []);
  const telling = canary !== undefined;
  const note = telling ? logRules(FORWARDED, true, "return") : logRules(FORWARDED, false, "");
  table.chain("new_forward", [FIRST_ONLY, ...shadows, ...note]);
  if (!processes) writeNewLocal(table, nodeExempt);
  // The machine's own traffic is observed where a workload is at the other end.
  table.chain("note_local", [
    ...each(({ source, family }) => `${source} @${LOCAL[family]} goto note`),
    ...each(({ destination, family }) => `${destination} @${LOCAL[family]} goto note`),
  ]);
  table.chain("note", note);
  // Where exemptions lead that are asked about at the end of a denial; they end the whole hook.
  table.chain("exempt", [
    ...logRules(FORWARDED, telling, "accept", "ct state new ct original packets < 2 "),
    "accept",
  ]);
  writeQuietSets(table, "live");
  writeQuietSets(table, "shadow");
  writeDnsTaps(table, LOCAL);
  writeQuiet(table, "quiet_drop", "live", "drop");
  writeQuiet(table, "quiet_reject", "live", "goto refuse");
  writeQuiet(table, "quiet_audit", "shadow", "accept");
  table.chain("refuse", [
    "meta l4proto 6 reject with tcp reset",
    "reject with icmpx admin-prohibited",
  ]);
};
