/** Peers in the words of a person, and as our own kinds write them. */
import { formatSelector, GROUPS, type Peer, type PeerManifest } from "@bulkhead/model";
import { stringify } from "yaml";

/** `app=web`, `app=web in billing`, `10.0.0.0/8`, `any`. `home`: the namespace that need not be said. */
export function peerText(peer: Peer, home: string): string {
  switch (peer.kind) {
    case "any":
      return "any";
    case "entity":
      return peer.entity;
    case "domain":
      return peer.pattern;
    case "cidr":
      return groupOf(peer) ?? peer.cidr;
    case "workloads": {
      const what = formatSelector(peer.selector) || "everybody";
      const { namespaces } = peer;
      switch (namespaces.kind) {
        case "all":
          return `${what} in all namespaces`;
        case "named":
          return namespaces.name === home ? what : `${what} in ${namespaces.name}`;
        case "selected":
          return `${what} in namespaces with ${formatSelector(namespaces.selector) || "any label"}`;
      }
    }
  }
}

/** As one entry of a list in flow style: `app=web`, `{cidr: 10.0.0.0/8}`. Undefined: our kinds have no word for it. */
export function peerYaml(peer: Peer, home: string): string | undefined {
  const manifest = manifestOf(peer, home);
  if (manifest === undefined) return undefined;
  // In a list, so that what is a mark there is quoted.
  const text = stringify([manifest], STYLE);
  return text.trim().slice(1, -1);
}

const STYLE = { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false } as const;

function manifestOf(peer: Peer, home: string): PeerManifest | undefined {
  switch (peer.kind) {
    case "any":
      return { any: true };
    case "entity":
      return { entity: peer.entity };
    case "domain":
      return undefined;
    case "cidr": {
      const group = groupOf(peer);
      if (group !== undefined) return { entity: group };
      if (!peer.matchesWorkloads) return undefined;
      const { cidr, except } = peer;
      return { cidr, ...(except.length === 0 ? {} : { except }) };
    }
    case "workloads": {
      const selector = formatSelector(peer.selector);
      const { namespaces } = peer;
      switch (namespaces.kind) {
        case "all":
          return { selector, namespace: "*" };
        case "named":
          if (namespaces.name !== home) return { selector, namespace: namespaces.name };
          return selector === "" ? { selector } : selector;
        case "selected":
          return { selector, namespaceSelector: formatSelector(namespaces.selector) };
      }
    }
  }
}

function groupOf({ cidr, matchesWorkloads }: Extract<Peer, { kind: "cidr" }>) {
  if (matchesWorkloads) return undefined;
  return (["broadcast", "multicast"] as const).find((name) =>
    GROUPS[name].some((one) => one === cidr),
  );
}
