/**
 * Whom a proof is about, as a person names them: a selector over labels in Kubernetes' syntax, one workload, an address or
 * prefix, `world`, `host`. `kubernetes.io/metadata.name` is the namespace's name and `namespace/KEY` a label of it.
 */
import { nearest } from "@bulkhead/dialects";
import { NAMESPACE_NAME_LABEL, type Selection } from "@bulkhead/engine";
import {
  canonicalIp,
  cidrRange,
  hostCidr,
  isReservedNamespace,
  matches,
  parseCidr,
  parseSelector,
  wholeRange,
  type Cidr,
  type Labels,
  type Selector,
  type Workload,
} from "@bulkhead/model";
import type { Desk } from "../desk.ts";
import { createEndFinder } from "../ends.ts";
import { problem, type Found } from "../problem.ts";

export interface NamedSelection extends Selection {
  readonly text: string;
  /** Of the workloads those on their node's network: they speak with its addresses. */
  readonly onNode: readonly string[];
}

const NAMESPACE = "namespace/";
const OPERATOR = /[=!,]| in | notin /;

/** `allowEmpty`: that nobody is selected is no mistake. */
export function selectionOf(desk: Desk, text: string, allowEmpty: boolean): Found<NamedSelection> {
  const nobody = { text, workloads: new Set<string>(), host: false, ranges: [], onNode: [] };
  const address = canonicalIp(text);
  const prefix: Cidr | null =
    address === null ? (parseCidr(text)?.cidr ?? null) : hostCidr(address);
  if (prefix !== null) {
    const range = cidrRange(prefix);
    const held = desk.index.known.filter(
      (place) =>
        place.family === range.family && range.first <= place.value && place.value <= range.last,
    );
    const known = held.filter((place) => !desk.isStandIn(place.address));
    const ids = known.flatMap(({ workload }) => (workload === undefined ? [] : [workload.id]));
    const host = known.some(({ kind }) => kind === "host");
    return { value: { ...nobody, workloads: new Set(ids), host, ranges: [range] } };
  }
  if (text === "world") return { value: { ...nobody, ranges: [wholeRange(4), wholeRange(6)] } };
  if (text === "host") return { value: { ...nobody, host: true } };
  if (!OPERATOR.test(text)) {
    const found = createEndFinder(desk)(text);
    const workload = found.problem === undefined ? found.value.workload : undefined;
    if (workload !== undefined) {
      // A controller stands for all of its pods here.
      const same = [...desk.workloads.values()].filter(
        (one) => one === workload || (text !== workload.id && isReplica(one, workload)),
      );
      return { value: chosen(desk, text, same) };
    }
    const isKey = [...desk.workloads.values()].some(({ labels }) => Object.hasOwn(labels, text));
    if (!isKey && found.problem !== undefined) return found;
  }
  const parsed = parseSelector(text);
  if ("error" in parsed) {
    return problem("bad-query", `\`${text}\` is not a selector: ${parsed.error}`);
  }
  const found = [...desk.workloads.values()].filter((one) => isChosen(parsed.selector, one, desk));
  if (found.length > 0 || allowEmpty) return { value: chosen(desk, text, found) };
  return problem(
    "selects-nothing",
    `\`${text}\` selects none of the ${desk.workloads.size} workloads of the files`,
    helpFor(parsed.selector, desk),
  );
}

function isReplica(one: Workload, other: Workload): boolean {
  return (
    one.namespace === other.namespace &&
    one.owner !== undefined &&
    one.owner.kind === other.owner?.kind &&
    one.owner.name === other.owner.name
  );
}

function chosen(desk: Desk, text: string, workloads: readonly Workload[]): NamedSelection {
  const [apart, onNode] = [true, false].map((isApart) =>
    workloads.filter(({ id }) => desk.index.workloads.has(id) === isApart).map(({ id }) => id),
  );
  return {
    text,
    workloads: new Set(apart),
    host: onNode!.length > 0,
    ranges: [],
    onNode: onNode!,
  };
}

/** Labels of the namespace are looked at only where they are asked for: they are somebody else's word. */
function isChosen({ requirements }: Selector, workload: Workload, desk: Desk): boolean {
  // Nodes live where nobody can: they are nobody's pods, whatever is asked of labels.
  if (isReservedNamespace(workload.namespace)) return false;
  const ofNamespace = desk.index.namespaceLabels(workload.namespace);
  return requirements.every((requirement) => {
    const { key } = requirement;
    const own = (name: string, labels: Labels) =>
      matches({ requirements: [{ ...requirement, key: name }] }, labels);
    if (key === NAMESPACE_NAME_LABEL) return own(key, ofNamespace);
    return key.startsWith(NAMESPACE)
      ? own(key.slice(NAMESPACE.length), ofNamespace)
      : own(key, workload.labels);
  });
}

/** Most often the label is the namespace's, or a slip. */
function helpFor({ requirements }: Selector, desk: Desk): string {
  const workloads = [...desk.workloads.values()];
  const keys = new Set(workloads.flatMap(({ labels }) => Object.keys(labels)));
  const namespaced = workloads.flatMap(({ namespace }) =>
    Object.keys(desk.index.namespaceLabels(namespace)),
  );
  for (const { key } of requirements) {
    if (keys.has(key) || key.startsWith(NAMESPACE)) continue;
    if (namespaced.includes(key)) {
      return `\`${key}\` is a label of namespaces: did you mean \`${NAMESPACE}${key}\`?`;
    }
    if (key === "namespace" || key === "ns") return `did you mean \`${NAMESPACE_NAME_LABEL}\`?`;
    const near = nearest(key, [...keys]);
    if (near !== null) return `did you mean the label \`${near}\`?`;
  }
  for (const requirement of requirements) {
    if (!("values" in requirement)) continue;
    const { key, values } = requirement;
    const known = new Set(workloads.flatMap(({ labels }) => labels[key] ?? []));
    const near = nearest(values[0] ?? "", [...known]);
    if (near !== null && !values.includes(near)) return `did you mean \`${key}=${near}\`?`;
  }
  return "`--allow-empty` if that is meant: of nobody everything holds";
}
