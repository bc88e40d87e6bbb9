/** Policies and peers that are nobody of the files, ports' names that nobody has, pods on their node's network. */
import { selects } from "@bulkhead/engine";
import {
  isReservedNamespace,
  formatPort,
  formatSelector,
  isReservedLabel,
  SERVICE_ACCOUNT_LABEL,
  type Block,
  type Peer,
  type ProtocolNumber,
  type Rule,
  type Selector,
  type Workload,
} from "@bulkhead/model";
import { workloadName } from "../desk/end-names.ts";
import { slipIn } from "./slips.ts";
import { named, type LintContext } from "./lint-context.ts";

export function whoIsMeant(context: LintContext): void {
  if (context.desk.workloads.size === 0) return;
  policiesOfNobody(context);
  for (const block of context.blocks) {
    if (context.selectedBy(block).length === 0) continue;
    for (const rule of block.rules) {
      peersThatAreNobody(rule, context);
      portNames(block, rule, context);
    }
  }
}

/** A policy may be several blocks, one for each way its workloads stand in a mesh. */
function policiesOfNobody(context: LintContext): void {
  const { blocks, selectedBy, desk, say } = context;
  const sharing = [...desk.workloads.values()].filter(
    ({ id, hostNetwork }) => hostNetwork && !desk.index.workloads.has(id),
  );
  for (const [, own] of Map.groupBy(blocks, ({ policy, source }) =>
    JSON.stringify([policy, source.file, source.line]),
  )) {
    const [block] = own;
    if (block === undefined || own.some(({ subject }) => isOfNodes(subject))) continue;
    const onNode = sharing.filter((one) =>
      own.some(
        ({ subject }) =>
          subject.kind === "workloads" &&
          subject.selector.requirements.length > 0 &&
          selects(subject, one, desk.index),
      ),
    );
    if (onNode.length > 0) {
      say(
        "BH0728",
        block.source,
        `this policy selects ${named(names(onNode))}, which is on its node's network`,
        "most networks hold no policy against such pods: they have their node's addresses",
      );
    } else if (own.every((one) => selectedBy(one).length === 0)) {
      say(
        "BH0706",
        block.source,
        "this policy selects no workload of these files",
        meantBy(own, context) ?? "compare its selector with the labels of the pods that it is for",
      );
    }
  }
}

function meantBy(own: readonly Block[], { workloads, desk }: LintContext): string | undefined {
  for (const { subject } of own) {
    const slip = subject.kind === "workloads" ? slipIn(subject, workloads, desk.index) : undefined;
    if (slip !== undefined) return `did you mean \`${slip.meant}\`, for \`${slip.written}\`?`;
  }
  return undefined;
}

/** Of a cluster; no file need have them. */
function isOfNodes(chosen: Block["subject"] | Peer): boolean {
  if (chosen.kind !== "workloads" || chosen.namespaces.kind !== "named") return false;
  return isReservedNamespace(chosen.namespaces.name);
}

/** Nodes, and whom only a dialect can tell by a label of its own. */
function isReserved(peer: Extract<Peer, { kind: "workloads" }>): boolean {
  const isOwn = (key: string): boolean => isReservedLabel(key) && key !== SERVICE_ACCOUNT_LABEL;
  return isOfNodes(peer) || peer.selector.requirements.some(({ key }) => isOwn(key));
}

function peersThatAreNobody({ peers, source }: Rule, { workloads, desk, say }: LintContext): void {
  for (const peer of peers) {
    if (
      peer.kind !== "workloads" ||
      isReserved(peer) ||
      workloads.some((one) => selects(peer, one, desk.index))
    )
      continue;
    const slip = slipIn(peer, workloads, desk.index);
    say(
      "BH0707",
      source,
      `no workload of these files is ${peerText(peer)}`,
      slip === undefined
        ? "a label or namespace that is written otherwise there?"
        : `did you mean \`${slip.meant}\`, for \`${slip.written}\`?`,
      slip === undefined ? "info" : "warning",
    );
  }
}

function peerText({ namespaces, selector }: Extract<Peer, { kind: "workloads" }>): string {
  const pods = selector.requirements.length === 0 ? "in" : `\`${selectorText(selector)}\` in`;
  switch (namespaces.kind) {
    case "all":
      return `${pods} any namespace`;
    case "named":
      return `${pods} namespace \`${namespaces.name}\``;
    case "selected":
      return `${pods} a namespace with \`${formatSelector(namespaces.selector)}\``;
  }
}

/** A service account by its own name, not by that of the label that tells it here. */
function selectorText({ requirements }: Selector): string {
  const named = requirements.map((one) =>
    isReservedLabel(one.key) ? { ...one, key: one.key.slice(1) } : one,
  );
  return formatSelector({ requirements: named });
}

/** Trap 4: a name is resolved at the destination, and may mean different ports there. */
function portNames(block: Block, { ports, peers, source }: Rule, context: LintContext): void {
  const named = ports.filter((port) => port.kind === "named");
  if (named.length === 0) return;
  const there = destinations(block, peers, context);
  if (there.length === 0) return;
  // Where a dialect's names have no protocol, they are asked of each.
  for (const [name, same] of Map.groupBy(named, (port) => port.name)) {
    const protocols = new Set(same.map(({ protocol }) => protocol));
    portName(name, protocols, there, source, context);
  }
}

function destinations(
  block: Block,
  peers: readonly Peer[],
  { workloads, selectedBy, desk }: LintContext,
): readonly Workload[] {
  if (block.direction === "ingress") return selectedBy(block);
  return workloads.filter((one) =>
    peers.some(
      (peer) =>
        peer.kind === "any" || (peer.kind === "workloads" && selects(peer, one, desk.index)),
    ),
  );
}

function portName(
  name: string,
  protocols: ReadonlySet<ProtocolNumber>,
  there: readonly Workload[],
  source: Rule["source"],
  { say }: LintContext,
): void {
  const called = there.flatMap((workload) =>
    workload.namedPorts.filter((one) => one.name === name).map((port) => ({ workload, port })),
  );
  const fitting = called.filter(({ port }) => protocols.has(port.protocol));
  if (fitting.length === 0) {
    const [other] = called;
    say(
      "BH0725",
      source,
      `no workload that this rule leads to has a port \`${name}\``,
      other === undefined
        ? `it leads to ${named(names(there))}; name the port there, or write its number`
        : `at \`${workloadName(other.workload)}\` that is ${formatPort(other.port.protocol, other.port.port)}: the protocol differs`,
    );
    return;
  }
  const numbers = Map.groupBy(fitting, ({ port }) => port.port);
  if (numbers.size < 2) return;
  const each = [...numbers].map(
    ([number, [first]]) => `${number} at \`${workloadName(first!.workload)}\``,
  );
  say(
    "BH0725",
    source,
    `port \`${name}\` is different numbers: ${each.slice(0, 3).join(", ")}`,
    "each is opened where it is called so, and nowhere else",
    "info",
  );
}

function names(workloads: readonly Workload[]): readonly string[] {
  return [...new Set(workloads.map(workloadName))];
}
