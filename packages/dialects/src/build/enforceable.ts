/**
 * What no kernel driver of ours holds, or what the live system does not know, is refused by name where a set is to be put in
 * force; at a desk it is judged like all else. To skip it silently would be to allow what it denies, or to deny what it allows.
 */
import {
  isReservedNamespace,
  isReservedLabel,
  type Block,
  type NamespaceScope,
  type Peer,
  type Rule,
  type Selector,
  type Stage,
} from "@bulkhead/model";
import { formatResourceName } from "../resource.ts";
import type { BuildContext } from "./context.ts";
import type { StagedBlock } from "./native-blocks.ts";

const OTHER_PLANES = { host: "a node", mesh: "a mesh" } as const;

const reservedKey = ({ requirements }: Selector): string | undefined =>
  requirements.find(({ key }) => isReservedLabel(key))?.key;

const isReservedScope = (scope: NamespaceScope): boolean =>
  scope.kind === "named" && isReservedNamespace(scope.name);

/** Labels under reserved keys are given to what files declare; what is found running has none of them. */
const unknownHere = (peer: Peer | Block["subject"]): string | null => {
  if (peer.kind !== "workloads") return null;
  const { namespaces, selector } = peer;
  const key =
    reservedKey(selector) ??
    (namespaces.kind === "selected" ? reservedKey(namespaces.selector) : undefined);
  return key === undefined ? null : `selects by \`${key.slice(1)}\`, which only a cluster tells`;
};

/** This machine is one of them, and none of its labels are known: what is denied them would go through. */
const DENIALS: readonly Rule["action"][] = ["deny", "reject"];
const isOfNodes = (peer: Peer): boolean =>
  peer.kind === "workloads" && isReservedScope(peer.namespaces);

/** With this machine and the world, whatever is told of nodes is said of all of them. */
const holdsAllNodes = (peers: readonly Peer[]): boolean =>
  peers.some((peer) => peer.kind === "entity" && peer.entity === "host") &&
  ["0.0.0.0/0", "::/0"].every((whole) =>
    peers.some(
      (peer) =>
        (peer.kind === "entity" && peer.entity === "world") ||
        (peer.kind === "cidr" && peer.cidr === whole),
    ),
  );

/** What of the rule is not for the kernel; null: nothing. */
const beyond = ({ l7, peers, auth, action }: Rule): string | null => {
  if (l7 !== undefined) return "looks into requests";
  if (peers.some(({ kind }) => kind === "domain")) return "names its peers by domain";
  if (auth === "required") return "asks its ends to prove who they are";
  if (action === "custom") return "asks a judge outside";
  if (DENIALS.includes(action) && peers.some(isOfNodes) && !holdsAllNodes(peers))
    return "denies nodes";
  return peers.map(unknownHere).find((what) => what !== null) ?? null;
};

/** Null: its rules are looked at one by one. */
const beyondWhole = ({ subject, rules }: Block, { plane }: Stage): string | null => {
  if (subject.kind === "workloads" && isReservedScope(subject.namespaces)) return "is a node's";
  // Without rules it denies whatever comes.
  if (plane !== "net" && rules.length === 0) return `is ${OTHER_PLANES[plane]}'s`;
  return unknownHere(subject);
};

export const refuseBeyondKernel = (stages: readonly Stage[], { report }: BuildContext): void => {
  const refuse = (source: Rule["source"], what: string) =>
    report(
      "BH0501",
      source,
      `${what}, which cannot be enforced here`,
      "it can be judged offline; to put the rest in force, take it out",
    );
  for (const stage of stages) {
    for (const block of stage.blocks) {
      const whole = beyondWhole(block, stage);
      if (whole !== null) refuse(block.source, `this policy ${whole}`);
      for (const rule of whole === null ? block.rules : []) {
        const what = stage.plane === "net" ? beyond(rule) : `is ${OTHER_PLANES[stage.plane]}'s`;
        if (what !== null) refuse(rule.source, `this rule ${what}`);
      }
    }
  }
};

/**
 * A dialect that has a place of its own for another's policies takes them away from those they were judged with: an allow would
 * go before their denials, and isolation would deny what they allow, even where the newcomer is only staged.
 */
export const refuseParting = (
  before: readonly StagedBlock[],
  after: readonly StagedBlock[],
  stages: readonly Pick<Stage, "id" | "endIfApplied">[],
  { report }: BuildContext,
): void => {
  const ends = new Map(stages.map(({ id, endIfApplied }) => [id, endIfApplied]));
  const places = new Map(after.map(({ stage, block }) => [block.id, stage]));
  const left = new Set(after.map(({ stage, block }) => `${stage} ${block.id}`));
  const moved = before.filter(({ stage, block }) => !left.has(`${stage} ${block.id}`));
  for (const { stage, block } of moved) {
    const place = places.get(block.id) ?? stage;
    if (ends.get(place) !== ends.get(stage)) {
      report(
        "BH0501",
        block.source,
        `\`${formatResourceName(block.policy)}\` would no longer isolate in \`${place}\`, which cannot be enforced here`,
        "what else these files hold says so of a tier: take that out",
      );
      return;
    }
    const staying = after.find((one) => one.stage === stage);
    if (staying === undefined) continue;
    const [one, other] = [block, staying.block].map(({ policy }) => formatResourceName(policy));
    report(
      "BH0501",
      block.source,
      `\`${one}\` and \`${other}\` would no longer be judged together, which cannot be enforced here`,
      "what else these files hold has a tier of its own for the former: put them in force on machines of their own",
    );
    return;
  }
};
