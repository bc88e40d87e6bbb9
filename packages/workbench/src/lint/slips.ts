/** Selectors that find nobody because of a slip of the pen: with one letter otherwise they would find somebody of the files. */
import { selects, type InventoryIndex } from "@bulkhead/engine";
import {
  isReservedLabel,
  type Labels,
  type Peer,
  type Requirement,
  type Workload,
} from "@bulkhead/model";

type WorkloadPeer = Extract<Peer, { kind: "workloads" }>;

interface Slip {
  /** As it stands there: `app=wbe`, `namespace shpo`. */
  readonly written: string;
  readonly meant: string;
}

/** The first single change after which it finds somebody. */
export function slipIn(
  peer: WorkloadPeer,
  workloads: readonly Workload[],
  index: InventoryIndex,
): Slip | undefined {
  for (const { corrected, ...slip } of corrections(peer, workloads, index)) {
    if (workloads.some((one) => selects(corrected, one, index))) return slip;
  }
  return undefined;
}

interface Correction extends Slip {
  readonly corrected: WorkloadPeer;
}

function* corrections(
  peer: WorkloadPeer,
  workloads: readonly Workload[],
  index: InventoryIndex,
): Iterable<Correction> {
  const { namespaces, selector } = peer;
  const known = wordsOf(workloads, index);
  for (const { requirements, ...slip } of changes(selector.requirements, known.labels)) {
    yield { ...slip, corrected: { ...peer, selector: { requirements } } };
  }
  if (namespaces.kind === "named" && !known.namespaces.has(namespaces.name)) {
    for (const name of known.namespaces) {
      if (!isSlip(namespaces.name, name)) continue;
      const corrected = { ...peer, namespaces: { kind: "named" as const, name } };
      yield { written: `namespace ${namespaces.name}`, meant: `namespace ${name}`, corrected };
    }
  }
  if (namespaces.kind !== "selected") return;
  const wanted = namespaces.selector.requirements;
  for (const { requirements, ...slip } of changes(wanted, known.namespaceLabels)) {
    const corrected = { ...peer, namespaces: { ...namespaces, selector: { requirements } } };
    yield { ...slip, corrected };
  }
}

/** By key. */
type Vocabulary = ReadonlyMap<string, ReadonlySet<string>>;

interface Words {
  readonly labels: Vocabulary;
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceLabels: Vocabulary;
}

const remembered = new WeakMap<readonly Workload[], Words>();

function wordsOf(workloads: readonly Workload[], index: InventoryIndex): Words {
  let words = remembered.get(workloads);
  if (words === undefined) {
    const namespaces = new Set(workloads.map(({ namespace }) => namespace));
    words = {
      labels: vocabulary(workloads.map(({ labels }) => labels)),
      namespaces,
      namespaceLabels: vocabulary([...namespaces].map((name) => index.namespaceLabels(name))),
    };
    remembered.set(workloads, words);
  }
  return words;
}

function vocabulary(all: readonly Labels[]): Vocabulary {
  const values = new Map<string, Set<string>>();
  for (const [key, value] of all.flatMap((labels) => Object.entries(labels))) {
    const known = values.get(key);
    if (known === undefined) values.set(key, new Set([value]));
    else known.add(value);
  }
  return values;
}

interface Change extends Slip {
  readonly requirements: readonly Requirement[];
}

/** One value or key of a requirement as somebody's labels have it. */
function* changes(requirements: readonly Requirement[], known: Vocabulary): Iterable<Change> {
  for (const [at, one] of requirements.entries()) {
    if (one.operator !== "In" || isReservedLabel(one.key)) continue;
    const { key } = one;
    const values = known.get(key);
    for (const value of one.values) {
      const written = `${key}=${value}`;
      for (const meant of values ?? []) {
        if (!isSlip(value, meant)) continue;
        const changed = requirements.with(at, { ...one, values: [meant] });
        yield { written, meant: `${key}=${meant}`, requirements: changed };
      }
      if (values !== undefined) continue;
      for (const meant of known.keys()) {
        if (!isSlip(key, meant)) continue;
        const changed = requirements.with(at, { ...one, key: meant });
        yield { written, meant: `${meant}=${value}`, requirements: changed };
      }
    }
  }
}

/**
 * One letter more, less or otherwise, two the wrong way round, or another case. Numbers tell like things apart on purpose, and
 * one letter of three may make another word (`app`, `api`).
 */
export function isSlip(written: string, known: string): boolean {
  if (written === known || Math.abs(written.length - known.length) > 1) return false;
  const [a, b] = [written.toLowerCase(), known.toLowerCase()];
  if (a === b) return true;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  if (left.length === 2 && right.length === 2) return left[0] === right[1] && left[1] === right[0];
  const changed = Math.max(left.length, right.length);
  const isNumber = /\d/.test(left + right);
  return changed === 1 && !isNumber && Math.max(a.length, b.length) >= 4;
}
