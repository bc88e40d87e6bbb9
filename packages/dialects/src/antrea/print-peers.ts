/** Peers and subjects of the common form in Antrea's words: those of a policy in a namespace, or of one of the cluster. */
import {
  NODES_NAMESPACE,
  SERVICE_ACCOUNT_LABEL,
  type Block,
  type Peer,
  type Rule,
  type SourceSpan,
} from "@bulkhead/model";
import {
  labelSelectorOf,
  namespaceSelectorOf,
  narrowed,
  type ExportedObject,
  type Losses,
} from "../export/exported.ts";
import type { Chosen } from "./members.ts";
import { domainExpression } from "./peers.ts";

export interface Printing {
  /** Undefined: a policy of the whole cluster. */
  readonly home: string | undefined;
  readonly losses: Losses;
}

const isOfNodes = ({ namespaces }: Chosen): boolean =>
  namespaces.kind === "named" && namespaces.name === NODES_NAMESPACE;

const accountOf = ({ namespaces, selector }: Chosen): ExportedObject | null => {
  const [only, ...others] = selector.requirements;
  const isAccount = others.length === 0 && only?.key === SERVICE_ACCOUNT_LABEL;
  if (!isAccount || only.operator !== "In" || namespaces.kind !== "named") return null;
  const [name, ...more] = only.values;
  if (name === undefined || more.length > 0) return null;
  return { serviceAccount: { name, namespace: namespaces.name } };
};

/** Null: what it says was told to be missing. */
export const chosenEntry = (
  peer: Chosen,
  source: SourceSpan,
  { home, losses }: Printing,
): ExportedObject | null => {
  if (isOfNodes(peer)) {
    const nodeSelector = labelSelectorOf(peer.selector, source, losses);
    return nodeSelector && { nodeSelector };
  }
  const account = home === undefined ? accountOf(peer) : null;
  if (account !== null) return account;
  const podSelector = labelSelectorOf(peer.selector, source, losses);
  if (podSelector === null) return null;
  const { namespaces } = peer;
  const isHome = namespaces.kind === "named" && namespaces.name === home;
  if (isHome || (home === undefined && namespaces.kind === "all")) return { podSelector };
  const namespaceSelector = namespaceSelectorOf(namespaces, source, losses);
  if (namespaceSelector === null) return null;
  const isEvery = peer.selector.requirements.length === 0;
  return { namespaceSelector, ...(isEvery ? {} : { podSelector }) };
};

export const subjectEntry = (block: Block, printing: Printing): ExportedObject | null => {
  const { subject, source } = block;
  if (subject.kind === "workloads") return chosenEntry(subject, source, printing);
  return { namespaceSelector: {} };
};

const peerEntry = (
  peer: Exclude<Peer, { kind: "any" }>,
  rule: Rule,
  isEgress: boolean,
  printing: Printing,
): ExportedObject | null => {
  switch (peer.kind) {
    case "workloads":
      return chosenEntry(peer, rule.source, printing);
    case "cidr": {
      const { cidr, except } = peer;
      if (peer.matchesWorkloads) {
        return { ipBlock: { cidr, ...(except.length === 0 ? {} : { except }) } };
      }
      narrowed(rule, `\`${cidr}\` without pods and nodes`, printing.losses);
      return null;
    }
    case "domain": {
      const { pattern, regex } = peer;
      if (isEgress && domainExpression(pattern) === regex) return { fqdn: pattern };
      narrowed(rule, `this rule names \`${pattern}\``, printing.losses);
      return null;
    }
    case "entity":
      narrowed(rule, `this rule speaks of \`${peer.entity}\``, printing.losses);
      return null;
  }
};

/** `everyone`: the list stays out. */
export const peerEntries = (
  rule: Rule,
  direction: Block["direction"],
  printing: Printing,
): readonly ExportedObject[] | "everyone" => {
  const given = rule.peers.flatMap((peer) => (peer.kind === "any" ? [] : [peer]));
  if (given.length < rule.peers.length) return "everyone";
  return given.flatMap<ExportedObject>(
    (peer) => peerEntry(peer, rule, direction === "egress", printing) ?? [],
  );
};
