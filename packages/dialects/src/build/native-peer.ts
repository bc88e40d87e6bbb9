/** Native peers to the IR: sets become prefixes, namespaces become scopes. */
import { GROUPS, type NamespaceScope, type Peer } from "@bulkhead/model";
import type { NativePeer, NativeWorkloads } from "../native/peer.ts";
import { DEFAULT_NAMESPACE } from "../resource.ts";
import { nearest, wordList } from "../text/near.ts";
import type { BuildContext } from "./context.ts";

type NativeEntity = Extract<NativePeer, { kind: "entity" }>["entity"];
export type WorkloadPeer = Extract<Peer, { kind: "workloads" }>;

const scope = (workloads: NativeWorkloads, home: string): NamespaceScope => {
  if (workloads.namespaceSelector !== undefined) {
    return { kind: "selected", selector: workloads.namespaceSelector };
  }
  const name = workloads.namespace ?? home;
  return name === "*" ? { kind: "all" } : { kind: "named", name };
};

export const workloadPeer = (workloads: NativeWorkloads, home: string): WorkloadPeer => ({
  kind: "workloads",
  namespaces: scope(workloads, home),
  selector: workloads.selector,
});

/** The near one, as it would be written here; else where sets are declared, and those there are. */
const unknownSetHelp = (typed: string, home: string, known: readonly string[]): string => {
  const prefix = `${home}/`;
  const written = known.map((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name));
  // Elsewhere a set is not found by its name alone, and may be the very one.
  const near = known.find((name) => name.endsWith(`/${typed}`)) ?? nearest(typed, written);
  if (near !== null) return `did you mean \`${near}\`?`;
  const slash = typed.indexOf("/");
  const [namespace, name] =
    slash < 0 ? [home, typed] : [typed.slice(0, slash), typed.slice(slash + 1)];
  const others =
    written.length > 0 && written.length < 10 ? `; there are ${wordList(written)}` : "";
  return `declare it in any file given along: \`kind: NetworkSet\`, name \`${name}\`, namespace \`${namespace}\`, with \`cidrs\`${others}`;
};

/** `office` looks in the resource's namespace, then in `default`; `shared/office` only in `shared`. */
const networkSetPeers = (
  peer: Extract<NativePeer, { kind: "networkSet" }>,
  home: string,
  context: BuildContext,
): readonly Peer[] => {
  const names = peer.networkSet.includes("/")
    ? [peer.networkSet]
    : [`${home}/${peer.networkSet}`, `${DEFAULT_NAMESPACE}/${peer.networkSet}`];
  const found = names.map((name) => context.networkSets.get(name)).find((set) => set !== undefined);
  if (found === undefined) {
    context.report(
      "BH0305",
      peer.source,
      `unknown NetworkSet \`${peer.networkSet}\``,
      unknownSetHelp(peer.networkSet, home, [...context.networkSets.keys()]),
    );
    return [];
  }
  return found.cidrs.map((cidr) => ({ kind: "cidr", cidr, except: [], matchesWorkloads: true }));
};

/** Groups are ranges of addresses that nobody owns. */
const entityPeers = (entity: NativeEntity): readonly Peer[] =>
  entity === "host" || entity === "world"
    ? [{ kind: "entity", entity }]
    : GROUPS[entity].map((cidr) => ({ kind: "cidr", cidr, except: [], matchesWorkloads: false }));

/**
 * A native prefix is meant as written: it holds every address inside it, whoever owns it; `world` is the peer that
 * leaves workloads out.
 */
export const nativePeers = (
  peer: NativePeer,
  home: string,
  context: BuildContext,
): readonly Peer[] => {
  switch (peer.kind) {
    case "workloads":
      return [workloadPeer(peer, home)];
    case "networkSet":
      return networkSetPeers(peer, home, context);
    case "cidr":
      return [{ kind: "cidr", cidr: peer.cidr, except: peer.except ?? [], matchesWorkloads: true }];
    case "entity":
      return entityPeers(peer.entity);
    case "any":
      return [{ kind: "any" }];
  }
};
