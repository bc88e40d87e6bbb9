/**
 * Cloud metadata addresses hand out credentials to whoever asks. A rule that opens wide (`any`, `world`, a broad prefix)
 * must not open them by the way: for every subject whose egress such a rule widens, the guard denies them, unless a rule
 * grants the very address. Said in the common form, so that `decide`, the compiler and `explain` need no special case.
 */
import {
  cidrRange,
  rangeContains,
  type Block,
  type Cidr,
  type IpRange,
  type Peer,
  type Rule,
} from "@bulkhead/model";
import type { StagedBlock } from "./native-blocks.ts";

/** IPv4 link-local metadata service, and its IPv6 form on EC2: shut unless a rule grants the very address. */
export const METADATA_ADDRESSES: readonly Cidr[] = ["169.254.169.254/32", "fd00:ec2::254/128"];

const GUARD: readonly IpRange[] = METADATA_ADDRESSES.map(cidrRange);

const grants = (peer: Peer): boolean => {
  if (peer.kind !== "cidr") return false;
  const { family, first, last } = cidrRange(peer.cidr);
  return first === last && GUARD.some((range) => rangeContains(range, { family, value: first }));
};

const holdsMetadata = (peer: Peer): boolean => {
  switch (peer.kind) {
    case "any":
      return true;
    case "workloads":
    // Whoever owns a name could have it stand for that address; the rule's own address is not among the names people give.
    case "domain":
      return peer.kind === "domain";
    case "entity":
      return peer.entity === "world";
    case "cidr": {
      const prefix = cidrRange(peer.cidr);
      return GUARD.some(
        ({ family, first }) =>
          rangeContains(prefix, { family, value: first }) &&
          !peer.except.some((hole) => rangeContains(cidrRange(hole), { family, value: first })),
      );
    }
  }
};

const opens = (rule: Rule): boolean =>
  rule.action === "allow" && rule.peers.some((peer) => holdsMetadata(peer) && !grants(peer));

/** Derived ids have a mark that no name can have, so that they never meet a rule's own. */
const guardBlock = (block: Block, order: number, rules: readonly Rule[]): StagedBlock => ({
  stage: "metadata",
  block: {
    ...block,
    id: `${block.id}~metadata${order === 0 ? "-grant" : ""}`,
    order: [order],
    isolates: false,
    rules,
  },
});

const granting = (block: Block): readonly StagedBlock[] => {
  const rules = block.rules.flatMap((rule): Rule[] => {
    const peers = rule.action === "allow" ? rule.peers.filter(grants) : [];
    return peers.length === 0
      ? []
      : [{ ...rule, id: `${rule.id}~metadata-grant`, action: "pass", peers }];
  });
  return rules.length === 0 ? [] : [guardBlock(block, 0, rules)];
};

const denying = (block: Block): readonly StagedBlock[] => {
  const wide = block.rules.filter(opens);
  const [first] = wide;
  if (first === undefined) return [];
  // It lasts as long as anything that opens wide does, and is live as soon as one such rule is.
  const ends = wide.map(({ expiresAt }) => expiresAt ?? Infinity);
  const { expiresAt: _, ...lasting } = first;
  const rule: Rule = {
    ...lasting,
    ...(ends.every(Number.isFinite) ? { expiresAt: Math.max(...ends) } : {}),
    id: `${block.id}~metadata/deny`,
    action: "deny",
    peers: METADATA_ADDRESSES.map((cidr) => ({
      kind: "cidr",
      cidr,
      except: [],
      matchesWorkloads: true,
    })),
    ports: [{ kind: "all" }],
    enforce: wide.some(({ enforce }) => enforce === "on") ? "on" : "staged",
    description: "metadata addresses must be granted by their own address",
  };
  return [guardBlock(block, 1, [rule])];
};

/**
 * Guards for all of what is guarded that opens egress wide, but in `emergency`, which is there to open everything. Grants
 * come first, and anybody's count.
 */
export const metadataGuard = (
  blocks: readonly StagedBlock[],
  isGuarded: (block: Block) => boolean = () => true,
): readonly StagedBlock[] => {
  const egress = blocks.filter(
    ({ stage, block }) => block.direction === "egress" && stage !== "emergency",
  );
  const denies = egress.flatMap(({ block }) => (isGuarded(block) ? denying(block) : []));
  return denies.length === 0 ? [] : [...egress.flatMap(({ block }) => granting(block)), ...denies];
};
