/**
 * Workloads that may connect and not ask for names are let ask the cluster's DNS, where the files tell which it is: the one fix
 * that permits something. Nothing else may change by it, and that is proved: without the new rule the same is said as before.
 */
import type { SourceFile } from "@bulkhead/dialects";
import { saysTheSame, selects } from "@bulkhead/engine";
import {
  portsOf,
  subtract,
  isEmptyPorts,
  TCP,
  UDP,
  type Block,
  type PolicySet,
  type Rule,
} from "@bulkhead/model";
import { isMap, isSeq, parseAllDocuments, type YAMLMap, type YAMLSeq } from "yaml";
import { openDesk, type Desk, type DeskOptions } from "../desk/desk.ts";
import { newLast, type Edit } from "./fix-places.ts";
import { namesLacking } from "./gaps.ts";
import { createLintContext } from "./lint-context.ts";

/** As clusters label it, whichever server it is. */
const [DNS_KEY, DNS_VALUE] = ["k8s-app", "kube-dns"];

/** Edits that are proved, by file. Whoever proposes them need not be trusted. */
export function nameEdits(
  files: readonly SourceFile[],
  reading: DeskOptions,
  propose: (block: Block, namespace: string, text: string) => readonly Edit[] = ruleFor,
): ReadonlyMap<string, readonly Edit[]> {
  const found = new Map<string, Edit[]>();
  const desk = openDesk(files, reading);
  const namespace = homeOfDns(desk);
  if (namespace === undefined) return found;
  const broken = new Set(
    desk.diagnostics.filter(({ severity }) => severity === "error").map(({ span }) => span.file),
  );
  for (const block of namesLacking(createLintContext(desk, reading.now, [])).keys()) {
    const at = files.findIndex(({ name }) => name === block.source.file);
    const file = files[at];
    if (file === undefined || broken.has(file.name)) continue;
    for (const edit of propose(block, namespace, file.text)) {
      const text = file.text.slice(0, edit.start) + edit.text + file.text.slice(edit.end);
      const after = openDesk(files.with(at, { ...file, text }), reading);
      if (!allowsNamesAlone(desk, after, block)) continue;
      found.set(file.name, [...(found.get(file.name) ?? []), edit]);
    }
  }
  return found;
}

/** Undefined: nobody of the files is it, or it is at home in several places. */
function homeOfDns({ index }: Desk): string | undefined {
  const homes = new Set(
    [...index.workloads.values()]
      .filter(({ labels }) => labels[DNS_KEY!] === DNS_VALUE)
      .map(({ namespace }) => namespace),
  );
  return homes.size === 1 ? [...homes][0] : undefined;
}

/** In the words of its dialect, behind its other rules. */
function ruleFor({ policy }: Block, namespace: string, text: string): readonly Edit[] {
  // Offsets of what follows are those of the text without a byte order mark.
  if (text.startsWith("\uFEFF")) return [];
  const documents = parseAllDocuments(text, { version: "1.2", schema: "core", merge: false });
  for (const document of Array.isArray(documents) ? documents : []) {
    const object: unknown = document.contents;
    if (document.errors.length > 0 || !isMap(object) || !isOf(object, policy)) continue;
    const egress = object.getIn(["spec", "egress"], true);
    const words = isSeq(egress) ? wordsFor(object, egress, namespace) : undefined;
    if (words !== undefined && isSeq(egress)) {
      return newLast(egress, words, text, `names allowed, from DNS in \`${namespace}\``);
    }
  }
  return [];
}

function isOf(object: YAMLMap, { kind, name, namespace }: Block["policy"]): boolean {
  return (
    object.get("kind") === kind &&
    object.getIn(["metadata", "name"]) === name &&
    (object.getIn(["metadata", "namespace"]) ?? "default") === namespace
  );
}

function wordsFor(object: YAMLMap, egress: YAMLSeq, namespace: string): string | undefined {
  const dns = `${DNS_KEY}: ${DNS_VALUE}`;
  switch (`${String(object.get("apiVersion")).split("/")[0]} ${object.get("kind")}`) {
    case "networking.k8s.io NetworkPolicy":
      return `{ to: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ${namespace} } }, podSelector: { matchLabels: { ${dns} } } }], ports: [{ protocol: UDP, port: 53 }, { protocol: TCP, port: 53 }] }`;
    case "cilium.io CiliumNetworkPolicy": {
      // Names are learnt from answers that are looked into.
      const named = egress.items.some((rule) => isMap(rule) && rule.has("toFQDNs"));
      const rules = named ? `, rules: { dns: [{ matchPattern: "*" }] }` : "";
      return `{ toEndpoints: [{ matchLabels: { io.kubernetes.pod.namespace: ${namespace}, ${dns} } }], toPorts: [{ ports: [{ port: "53", protocol: UDP }, { port: "53", protocol: TCP }]${rules} }] }`;
    }
    case "bulkhead.dev Policy":
      return `{ to: [{ selector: ${DNS_KEY}=${DNS_VALUE}, namespace: ${namespace} }], ports: [53/udp, 53/tcp] }`;
    default:
      return undefined;
  }
}

const NAMES = portsOf(
  [UDP, TCP].map((protocol) => ({ kind: "range", protocol, first: 53, last: 53 })),
  () => [],
);

function allowsNamesAlone(before: Desk, after: Desk, { id, rules: own }: Block): boolean {
  const known = new Set(own.map(({ id: rule }) => rule));
  const isNew = (block: Block, rule: Rule): boolean => block.id === id && !known.has(rule.id);
  const blocks = after.set.stages.flatMap((stage) => stage.blocks);
  const added = blocks.flatMap((block) => block.rules.filter((rule) => isNew(block, rule)));
  const without: PolicySet = {
    ...after.set,
    stages: after.set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.filter((rule) => !isNew(block, rule)),
      })),
    })),
  };
  return (
    added.length > 0 &&
    added.every((rule) => isOfNames(rule, after)) &&
    after.diagnostics.length <= before.diagnostics.length &&
    after.resources.length === before.resources.length &&
    saysTheSame(before.set, without)
  );
}

function isOfNames({ action, peers, ports }: Rule, { index }: Desk): boolean {
  return (
    action === "allow" &&
    isEmptyPorts(
      subtract(
        portsOf(ports, () => []),
        NAMES,
      ),
    ) &&
    peers.every(
      (peer) =>
        peer.kind === "workloads" &&
        peer.selector.requirements.some(({ key }) => key === DNS_KEY) &&
        [...index.workloads.values()]
          .filter((one) => selects(peer, one, index))
          .every(({ labels }) => labels[DNS_KEY!] === DNS_VALUE),
    )
  );
}
