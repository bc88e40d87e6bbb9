/**
 * Whom entries of `appliedTo`, `from` and `to` mean: groups looked up, names of accounts and Services resolved. Peers that are
 * bound to the subject's namespace are none of this (`bound.ts`).
 */
import {
  EVERYTHING,
  NODES_NAMESPACE,
  selectorOf,
  SERVICE_ACCOUNT_LABEL,
  type NamespaceScope,
  type Peer,
  type Selector,
  type SourceSpan,
} from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { Services } from "../build/services.ts";
import type { AntreaGroup } from "./groups.ts";
import type { AntreaPeer, AppliedTo, IpBlock, NamespacedName } from "./peers.ts";

export type Chosen = Extract<Peer, { kind: "workloads" }>;

export interface Members {
  /** Undefined: the policy is the whole cluster's. */
  readonly home: string | undefined;
  /** ClusterGroups by name, Groups by `namespace/name`. */
  readonly groups: ReadonlyMap<string, AntreaGroup>;
  readonly services: Services;
  readonly report: BuildContext["report"];
}

export const groupKey = (home: string | undefined, name: string): string =>
  home === undefined ? name : `${home}/${name}`;

export const scopeOf = (selector: Selector): NamespaceScope =>
  selector.requirements.length === 0 ? { kind: "all" } : { kind: "selected", selector };

const podsIn = (
  { namespaces, pods }: { readonly namespaces?: Selector; readonly pods?: Selector },
  home: string | undefined,
): Chosen => ({
  kind: "workloads",
  namespaces:
    namespaces === undefined
      ? home === undefined
        ? { kind: "all" }
        : { kind: "named", name: home }
      : scopeOf(namespaces),
  selector: pods ?? EVERYTHING,
});

/** Flows match by address alone, whoever owns it: `0.0.0.0/0` is how Antrea says everyone. */
const blockPeer = ({ cidr, except }: IpBlock): Peer => ({
  kind: "cidr",
  cidr,
  except,
  matchesWorkloads: true,
});

const accountPeer = ({ namespace, name }: NamespacedName): Chosen => ({
  kind: "workloads",
  namespaces: { kind: "named", name: namespace },
  selector: selectorOf([{ key: SERVICE_ACCOUNT_LABEL, operator: "In", values: [name] }]),
});

const nodesPeer = (selector: Selector): Chosen => ({
  kind: "workloads",
  namespaces: { kind: "named", name: NODES_NAMESPACE },
  selector,
});

const backendsOf = (
  { namespace, name }: NamespacedName,
  source: SourceSpan,
  { services, report }: Members,
): readonly Chosen[] => {
  const selector = services.named(namespace, name)?.selector;
  if (selector !== undefined) {
    return [{ kind: "workloads", namespaces: { kind: "named", name: namespace }, selector }];
  }
  const message = `no Service \`${namespace}/${name}\` with a selector in these files`;
  report("BH0432", source, message, "the group has nobody in it");
  return [];
};

const contentOf = (group: AntreaGroup, members: Members, mayNest: boolean): readonly Peer[] => {
  const { content, source } = group;
  switch (content.kind) {
    case "pods":
      return [podsIn(content, members.home)];
    case "blocks":
      return content.blocks.map(blockPeer);
    case "service":
      return backendsOf(content.service, source, members);
    case "groups":
      if (!mayNest) return [];
      return content.groups.flatMap((name) => groupMembers(name, source, members, false));
  }
};

function groupMembers(
  name: string,
  source: SourceSpan,
  members: Members,
  mayNest = true,
): readonly Peer[] {
  const { home, groups, report } = members;
  const group = groups.get(groupKey(home, name));
  if (group !== undefined) return contentOf(group, members, mayNest);
  const kind = home === undefined ? "ClusterGroup" : "Group";
  const message = `no ${kind} \`${groupKey(home, name)}\` in these files: it has nobody in it`;
  report("BH0432", source, message, `add the ${kind}, or name another`);
  return [];
}

/** Of a peer that is bound to no subject. */
export const peersOf = (peer: AntreaPeer, members: Members): readonly Peer[] => {
  switch (peer.kind) {
    case "pods":
      return [podsIn(peer, members.home)];
    case "bound":
      return [];
    case "block":
      return [blockPeer(peer.block)];
    case "group":
      return groupMembers(peer.group, peer.source, members);
    case "account":
      return [accountPeer(peer.account)];
    case "nodes":
      return [nodesPeer(peer.nodes)];
    case "domain":
      return [{ kind: "domain", pattern: peer.pattern, regex: peer.regex }];
  }
};

/** Only workloads have policies; and a policy in a namespace is for those in it. */
export const subjectsOf = (entry: AppliedTo, members: Members): readonly Chosen[] => {
  const found = peersOf(entry, members);
  const chosen = found.flatMap((peer) => (peer.kind === "workloads" ? [peer] : []));
  const { home, report } = members;
  if (chosen.length < found.length) {
    const message = "a group of addresses in `appliedTo` has no effect";
    report("BH0404", entry.source, message, "name a group of pods");
  }
  if (home === undefined) return chosen;
  const own = chosen.filter(({ namespaces }) => namespaces.kind === "named");
  if (own.length < chosen.length) {
    report(
      "BH0430",
      entry.source,
      "a group with a selector of namespaces cannot be in `appliedTo` of a NetworkPolicy",
      "its subjects are in its own namespace: use a group without that selector",
    );
  }
  return own;
};

/** One level of groups in groups is all there may be. */
export const reportNesting = (groups: Members["groups"], report: BuildContext["report"]): void => {
  for (const { kind, metadata, content, source } of groups.values()) {
    if (content.kind !== "groups") continue;
    const home = kind === "Group" ? (metadata.namespace ?? "default") : undefined;
    for (const name of content.groups) {
      if (groups.get(groupKey(home, name))?.content.kind !== "groups") continue;
      const message = `group \`${name}\` has groups in it, and cannot be in another`;
      report("BH0430", source, message, "name the groups that are in it");
    }
  }
};
