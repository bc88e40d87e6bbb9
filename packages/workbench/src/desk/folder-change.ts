/**
 * The least that would allow a denied connection, in the words of the folder's own dialects: a NetworkPolicy where there is
 * nothing of ours, and only what can be applied as it stands. Where that cannot say it, a sentence tells what could.
 */
import { decide, type DecideOptions, type Explanation } from "@bulkhead/engine";
import {
  formatProtocol,
  ICMP,
  ICMPV6,
  SCTP,
  TCP,
  UDP,
  type Determinant,
  type ProtocolNumber,
} from "@bulkhead/model";
import type { Desk } from "./desk.ts";
import { changeOf, type ToldChange } from "./explanation.ts";
import { networkPoliciesFor } from "./network-policies-for.ts";

export interface ToldInFolder {
  readonly smallestChange?: ToldChange;
  readonly inTheWay?: string;
}

export function changeInFolder(
  desk: Desk,
  { smallestChange, decision, query }: Explanation,
  options: DecideOptions,
): ToldInFolder {
  if (smallestChange?.kind !== "add" || isOurs(desk)) return changeOf(smallestChange);
  const { request, ...connection } = query;
  if (
    request !== undefined &&
    decide(desk.set, desk.index, connection, options).verdict === "allow"
  ) {
    return { inTheWay: REQUEST };
  }
  const { manifest } = smallestChange;
  const text = networkPoliciesFor(manifest);
  if (text !== null) {
    return { smallestChange: { name: `${manifest.metadata.name}.yaml`, text, fillIn: [] } };
  }
  if (manifest.kind === "Exception") return { inTheWay: above(decision) };
  const { protocol } = query;
  return {
    inTheWay: [TCP, UDP, SCTP].includes(protocol)
      ? "a NetworkPolicy cannot name a node: only an `ipBlock` of its addresses could, where the network holds those against nodes"
      : withoutPorts(protocol, desk),
  };
}

const REQUEST =
  "the connection is allowed, and this request is not: the rule that looks into requests must hold it, for a policy that allows the port would let every request through";

/** Whoever has something of ours is told what is missing in our words. */
function isOurs({ resources }: Desk): boolean {
  return resources.some(
    ({ dialect, object }) =>
      dialect === "native" && object.kind !== "Inventory" && object.kind !== "PolicyTest",
  );
}

/** What no allow of a NetworkPolicy lifts, as nothing that is asked after it does. */
function above({ egress, ingress }: Explanation["decision"]): string {
  const denying = [egress, ingress]
    .filter(({ verdict }) => verdict !== "allow")
    .map(({ determinedBy }) => determinedBy);
  const rules = denying.filter(({ kind }) => kind === "rule");
  const must = (rules.length > 0 ? rules : denying).map(placeOf).join(" and ");
  return `no NetworkPolicy is asked before ${must}: what denies there must change`;
}

function placeOf(by: Determinant): string {
  switch (by.kind) {
    case "rule":
      return `rule \`${by.rule}\` (${by.source.file}:${by.source.line})`;
    case "isolation":
      return `\`${by.block}\` (${by.source.file}:${by.source.line})`;
    case "default":
      return "the default";
    case "exemption":
      return by.exemption;
  }
}

const OTHERS: Readonly<Record<string, { readonly how: string; readonly only?: "icmp" }>> = {
  cilium: { how: "a CiliumNetworkPolicy can, with `icmps`", only: "icmp" },
  antrea: { how: "a NetworkPolicy of Antrea's can, with `protocols`", only: "icmp" },
  calico: { how: "a NetworkPolicy of Calico's can, with `protocol`" },
};

function withoutPorts(protocol: ProtocolNumber, { resources }: Desk): string {
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  const here = new Set<string>(resources.map(({ dialect }) => dialect));
  const able = Object.entries(OTHERS).flatMap(([dialect, { how, only }]) =>
    here.has(dialect) && (isIcmp || only === undefined) ? [`; ${how}`] : [],
  );
  const name = formatProtocol(protocol);
  return `a NetworkPolicy names ports of TCP, UDP and SCTP alone: only a rule without \`ports\` allows ${name}, and every other protocol and port with it (what networks do with it, Kubernetes leaves open)${able.join("")}`;
}
