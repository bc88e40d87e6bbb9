/**
 * The machine's own hooks where it has processes that are known. Who has the socket of a packet is asked where that is certain:
 *
 *   output, original direction ┐ the socket is the source's: its egress, and the destination's ingress, which may tell
 *   input, replies             ┘ processes apart. Over loopback this is all there is to judge
 *   input, original direction  ┐ the socket is the destination's: its ingress, by the source's address
 *   output, replies            ┘
 *
 * What has no full socket (a handshake's last two packets, those of TIME-WAIT) is asked of its port's owner on its way in; a reply
 * that finds none reaches nobody, and passes. Nothing here may be reached from `forward`, where the kernel refuses to ask for sockets.
 */
import { UNKNOWN_PROCESS, UNTOLD_SOCKET } from "@bulkhead/model";
import type { HostPolicy, MapSet } from "@bulkhead/model";
import { canaryRules } from "./canary-rules.ts";
import { BOTH } from "./family.ts";
import type { FamilyWords } from "./family.ts";
import { FIRST_ONLY, FORWARDED, HOST, OWN_ERRORS, base, falseSources, logRules } from "./frame.ts";
import type { LogPrefix } from "./log-prefix.ts";
import {
  ELSEWHERE,
  MANAGED,
  boundName,
  knownName,
  nearName,
  openPortsName,
  ownedAtName,
  ownedName,
  ownersName,
  placedName,
  processesName,
  subjectsName,
} from "./names.ts";
import type { Plane, Tree } from "./names.ts";
import { toldLately, writeNotes } from "./process-notes.ts";
import { nearClasses } from "./process-peers.ts";
import { portLookups } from "./port-lookups.ts";
import { judgedLevels, knownLevels, processesOf } from "./process-sets.ts";
import type { TableBuilder } from "./ruleset.ts";

/**
 * Who closed first is asked by nobody any more when the other closes: the kernel answers in its place, from what is left of
 * the socket or, before Linux 6.12, one of its own that is bound nowhere. Such an answer says nothing but that the other was heard; shape by shape, with a time stamp and without.
 */
const LAST_WORDS: readonly string[] = [
  "ip length 40 tcp doff 5",
  "ip length 52 tcp doff 8",
].flatMap((shape) => [
  shape,
  shape.replace(/ip length (\d+)/, (_, all) => `ip6 length ${Number(all) - 20}`),
]);

const each = (write: (words: FamilyWords) => string): readonly string[] => BOTH.map(write);
const socketAt = (level: number): string => `socket cgroupv2 level ${level}`;

interface Judges {
  /** Some port's owner is judged by `<plane>_owner`. */
  readonly owned: boolean;
  /** Egress of the socket's process, and ingress of whoever it speaks to by way of the network. */
  readonly source: readonly string[];
  readonly destination: readonly string[];
  /** As `source`, to a socket of this machine. */
  readonly loopback: readonly string[];
}

const setOf = ({ live, shadow, canary }: HostPolicy, plane: Plane): MapSet | undefined =>
  ({ live, shadow, canary: canary?.maps })[plane];

const levelsIn = (policy: HostPolicy, { plane, direction }: Tree): readonly number[] =>
  judgedLevels(setOf(policy, plane)?.processes?.[direction] ?? [], processesOf(policy));

/**
 * The node's own traffic is exempt where the class at the other end does not know its process: who has a policy is somebody.
 * In the shadow trees it is not audited, and told of like all else.
 */
export const nodeRules = (plane: Plane): readonly string[] =>
  each(
    ({ source, family }) =>
      `${source} @${HOST[family]} ${plane === "shadow" ? "return" : "goto from_host"}`,
  );

/** Writes what the plane's look-ups of processes need, and returns their rules. */
const judgesOf = (table: TableBuilder, policy: HostPolicy, plane: Plane): Judges => {
  const egress: Tree = { plane, direction: "egress" };
  const ingress: Tree = { plane, direction: "ingress" };
  const set = setOf(policy, plane);
  const byProcess = (tree: Tree): readonly string[] =>
    levelsIn(policy, tree).map((level) => `${socketAt(level)} vmap @${processesName(tree, level)}`);
  const toAddress = each(
    ({ destination, family }) => `${destination} vmap @${subjectsName(ingress, family)}`,
  );
  const near = set !== undefined && nearClasses(set, ingress).size > 0;
  const exempt = policy.profile.nodeExempt ? nodeRules(plane) : [];
  const inline = exempt.map((rule) => rule.replace(/return$/, "goto note_process"));
  if (near)
    table.chain(`${plane}_to`, [
      ...each(({ destination, family }) => `${destination} vmap @${nearName(ingress, family)}`),
      ...exempt,
      ...toAddress,
    ]);
  const owned = (set?.processes?.ingress.length ?? 0) > 0 && (policy.sockets ?? []).length > 0;
  if (owned) {
    table.chain(`${plane}_owner`, ownerRules(policy, ingress));
    // Of what has no full socket, its port's owner is asked: a request that nobody has taken up yet would go on when it is
    // revoked, and one that begins where another has just ended would be asked of nobody.
    table.chain(`${plane}_asked`, [
      "socket wildcard 0 return",
      "socket wildcard 1 return",
      `goto ${plane}_owner`,
    ]);
  }
  const fromAddress = each(
    ({ source, family }) => `${source} vmap @${subjectsName(egress, family)}`,
  );
  return {
    owned,
    source: [
      ...byProcess(egress),
      ...fromAddress,
      ...(near ? [`jump ${plane}_to`] : [...inline, ...toAddress]),
    ],
    destination: [
      ...fromAddress,
      ...byProcess(ingress),
      ...(owned ? [`meta l4proto 6 jump ${plane}_asked`] : []),
      ...toAddress,
    ],
    loopback: [...byProcess(egress), ...(owned ? [`jump ${plane}_owner`] : [])],
  };
};

const ownerRules = ({ sockets = [] }: HostPolicy, tree: Tree): readonly string[] => {
  const protocols = sockets.map(({ protocol }) => protocol);
  return BOTH.flatMap(({ family, destination }) => [
    ...portLookups(
      protocols,
      (port) => `${destination} . ct protocol . ${port}`,
      `vmap @${ownersName(tree, family)}`,
    ),
    ...portLookups(
      protocols,
      (port) => `meta nfproto ipv${family} ct protocol . ${port}`,
      `vmap @${openPortsName(tree, family)}`,
    ),
  ]);
};

/** For packets at a socket that is its process's own, as discovery told: `port` and `address` of that end in the packet. */
const ownSocket = (
  policy: HostPolicy,
  end: "source" | "destination",
  verdict: string,
): readonly string[] =>
  BOTH.flatMap(({ family, packetSource, packetDestination }) => {
    const port = end === "source" ? "th sport" : "th dport";
    const address = end === "source" ? packetSource : packetDestination;
    // A socket on one address comes before one on all, which may be somebody else's (UDP, SO_REUSEADDR).
    const elsewhere = `${address} . meta l4proto . ${port} != @${placedName(family)}`;
    return knownLevels(policy).flatMap((level) => [
      `${elsewhere} ${socketAt(level)} . meta l4proto . ${port} @${ownedName(level, family)} ${verdict}`,
      `${socketAt(level)} . ${address} . meta l4proto . ${port} @${ownedAtName(level, family)} ${verdict}`,
    ]);
  });

/** Counts, logs the first of a kind, and drops. */
const writeDenial = (table: TableBuilder, name: string, cookie: string, telling: boolean): void => {
  const prefix: LogPrefix = { verdict: "dropped", cookie, reply: false };
  table.chain(name, [
    `counter name "${table.counter(name)}"`,
    "jump quiet_drop",
    ...logRules({ ...prefix, reply: true }, telling, "drop", "ct direction reply "),
    ...logRules(prefix, telling, "drop"),
  ]);
};

const writeManaged = (
  table: TableBuilder,
  policy: HostPolicy,
  telling: boolean,
  owned: boolean,
): void => {
  writeDenial(table, "unknown_process", UNKNOWN_PROCESS, telling);
  const known = knownLevels(policy).map(
    (level) => `${socketAt(level)} @${knownName(level)} return`,
  );
  const unknown = [
    `${socketAt(1)} @${MANAGED} goto unknown_process`,
    // A control group made again at the first level is nobody's until it has been looked at.
    `${socketAt(1)} != @${ELSEWHERE} goto unknown_process`,
  ];
  table.chain("managed_calling", [...known, ...unknown]);
  // A service that is started again leaves its old group behind with the connections that outlive it, SSH sessions above all. Such
  // a one was let in when its group was known; its port's owner judges it from now on, over loopback where it was called from.
  const outlived = (verdict: string): readonly string[] => [
    ...known,
    `ct state established ${socketAt(1)} @${MANAGED} ${verdict}`,
    ...unknown,
  ];
  table.chain("managed_called", outlived(owned ? "goto live_owner" : "return"));
  table.chain("managed_called_near", outlived("return"));
};

/** Whether the socket that the packet is at called, or was called. */
const managedRules = (called: "original" | "reply", near: boolean): readonly string[] => [
  `ct direction ${called} jump managed_called${near ? "_near" : ""}`,
  `ct direction ${called === "original" ? "reply" : "original"} jump managed_calling`,
];

/** Packets of judged processes that no look-up by connection can decide. */
const writeStrays = (table: TableBuilder, policy: HostPolicy): void => {
  const rules = (["egress", "ingress"] as const).flatMap((direction) => {
    const tree: Tree = { plane: "live", direction };
    return levelsIn(policy, tree).flatMap((level) => [
      `ct state related,new tcp flags != syn / fin,syn,rst,ack ${socketAt(level)} @${boundName(tree, level)} counter name "not_syn" drop`,
      `ct state invalid,untracked ${socketAt(level)} @${boundName(tree, level)} counter name "no_connection" drop`,
    ]);
  });
  table.chain("process_strays", rules);
};

/** Replaces `input` and `output`, and what they alone lead to. */
export const writeProcessHooks = (table: TableBuilder, policy: HostPolicy): void => {
  const { canary, managed = [], profile } = policy;
  const telling = canary !== undefined;
  const live = judgesOf(table, policy, "live");
  const shadow = judgesOf(table, policy, "shadow");
  const rollout = telling ? judgesOf(table, policy, "canary") : undefined;
  const knownAt = (called: "original" | "reply", near = false): readonly string[] =>
    managed.length === 0 ? [] : managedRules(called, near);
  const part = (taking: string): readonly string[] =>
    telling ? BOTH.flatMap((words) => canaryRules(canary, words, taking)) : [];
  const judge = (name: Exclude<keyof Judges, "owned">): void => {
    const end = `ct state new goto new_${name}`;
    table.chain(name, [...part(`${name}_canary`), ...live[name], end]);
    if (rollout !== undefined) table.chain(`${name}_canary`, [...rollout[name], end]);
  };
  if (managed.length > 0) writeManaged(table, policy, telling, live.owned);
  writeStrays(table, policy);
  writeNotes(table, policy);
  table.chain(
    "output",
    [
      "ct status dnat goto output_translated",
      `oifname "lo" goto output_loopback`,
      "goto output_away",
    ],
    base("output"),
  );
  // The device that a hook is told of is the one that a packet would have taken before its destination was translated.
  table.chain("output_translated", [
    "fib daddr type local goto output_loopback",
    "goto output_away",
  ]);
  table.chain("output_away", [
    ...OWN_ERRORS,
    ...knownAt("reply"),
    "ct state != established jump output_fresh",
    "ct direction original goto source",
    "ct direction reply goto destination",
  ]);
  table.chain("output_fresh", ["jump unusual", "jump process_strays", "ct state new jump tell_e"]);
  table.chain(
    "input",
    [
      `iifname "lo" goto input_loopback`,
      ...knownAt("original"),
      "ct state != established jump input_fresh",
      "ct direction reply goto source",
      "ct direction original goto destination",
    ],
    base("input"),
  );
  table.chain("input_fresh", [
    ...falseSources(table),
    "jump unusual",
    "jump process_strays",
    "ct state new jump tell_i",
  ]);
  // A reply's translated source is put right behind `input`, and its socket cannot be found before that.
  table.chain(
    "input_translated",
    ["ct status dnat ct direction reply goto replies_translated"],
    base("input", 110),
  );
  table.chain("replies_translated", [
    ...knownAt("original"),
    `iifname "lo" goto replies_loopback`,
    "goto source",
  ]);
  judge("source");
  judge("destination");
  judge("loopback");
  writeLoopback(table, policy, knownAt);
  table.chain("new_source", [FIRST_ONLY, ...shadow.source, "goto note_process"]);
  table.chain("new_destination", [FIRST_ONLY, ...shadow.destination, "goto note_process"]);
  table.chain("new_loopback", [FIRST_ONLY, ...shadow.loopback]);
  // Ends the hook, from however deep it is reached.
  if (profile.nodeExempt) table.chain("from_host", ["ct state new jump new_source", "accept"]);
  table.chain("note_process", [
    ...knownLevels(policy).map((level) => `${socketAt(level)} @${knownName(level)} goto note`),
    "goto note_local",
  ]);
};

const writeLoopback = (
  table: TableBuilder,
  policy: HostPolicy,
  knownAt: (called: "original" | "reply", near: boolean) => readonly string[],
): void => {
  const telling = policy.canary !== undefined;
  const own = (end: "source" | "destination"): readonly string[] =>
    policy.profile.hairpinExempt ? ownSocket(policy, end, "accept") : [];
  table.chain("last_words", [
    // Somebody's, who is connected and may be judged.
    "socket wildcard 0 return",
    ...LAST_WORDS.map((shape) => `${shape} tcp flags ack / fin,syn,rst,ack accept`),
  ]);
  table.chain("output_loopback", [
    ...OWN_ERRORS,
    "meta l4proto 6 ct state established jump last_words",
    ...knownAt("reply", true),
    "ct direction reply return",
    "ct state != established jump loopback_fresh",
    // A process to itself: where it sends, the socket that is asked for is the one it sends to.
    ...own("destination"),
    "goto loopback",
  ]);
  table.chain("loopback_fresh", ["jump process_strays", "ct state new jump tell_e"]);
  // Who sends what no connection holds may be judged by nobody, and who receives it is.
  table.chain("loopback_arriving", ["jump process_strays", "ct state new jump tell_i"]);
  const ingress: Tree = { plane: "live", direction: "ingress" };
  const judged = levelsIn(policy, ingress);
  table.chain("input_loopback", [
    // Refusals of what was sent from here come back by loopback, wherever it was sent to.
    ...OWN_ERRORS,
    ...knownAt("original", true),
    "ct direction reply goto replies_loopback",
    "ct state != established jump loopback_arriving",
    ...judged.map(
      (level) => `${socketAt(level)} @${boundName(ingress, level)} goto judged_arrival`,
    ),
    "goto arrival",
  ]);
  if (judged.length > 0) {
    table.chain("judged_arrival", [
      ...ownSocket(policy, "destination", "goto arrival"),
      "goto untold_socket",
    ]);
    writeDenial(table, "untold_socket", UNTOLD_SOCKET, telling);
  }
  table.chain("replies_loopback", [
    ...own("source"),
    "meta l4proto 6 jump replies_met",
    "meta l4proto != 6 goto loopback",
  ]);
  // Without a full socket it is neither.
  table.chain("replies_met", [
    "socket wildcard 0 goto loopback",
    "socket wildcard 1 goto loopback",
  ]);
  table.chain("arrival", [
    "ct state != new return",
    FIRST_ONLY,
    // Its departure was told as one that enforcing would deny.
    ...toldLately("shadow"),
    ...(telling
      ? logRules({ ...FORWARDED, arrival: true }, true, "return")
      : logRules({ ...FORWARDED, arrival: true }, false, "")),
  ]);
};
