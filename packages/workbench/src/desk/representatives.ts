/**
 * Workloads that no file has and that policies speak of all the same: one for every selector in a rule that names nobody
 * who is here, one without any labels for everybody else, and for selectors that exclude, one that they exclude.
 */
import { selects, type InventoryIndex } from "@bulkhead/engine";
import {
  EVERYTHING,
  matches,
  type Block,
  type Labels,
  type NamedPort,
  type Namespace,
  type NamespaceScope,
  type PolicySet,
  type Requirement,
  type Selector,
  type Workload,
} from "@bulkhead/model";
import { EVERYBODY, titleOf, type WorkloadPeer } from "./peer-titles.ts";

export interface Representative {
  readonly workload: Workload;
  /** Absent: it stands for everybody whom nothing is said about. */
  readonly title?: string;
  /** A selector that excludes is why it is here: what it may not, not everybody may. */
  readonly isExcluded: boolean;
}

export interface Representatives {
  readonly all: readonly Representative[];
  readonly namespaces: readonly Namespace[];
}

const NAME_LABEL = "kubernetes.io/metadata.name";
/** No name of a resource has such a character. */
const MARK = "~";

/** `namedPorts`: what all of them are taken to have. */
export function representativesOf(
  { stages }: PolicySet,
  index: InventoryIndex,
  namedPorts: readonly NamedPort[],
): Representatives {
  const { workloads, namespaceLabels, inventory } = index;
  const peers = new Map<string, WorkloadPeer>();
  for (const { blocks } of stages) {
    for (const rule of blocks.flatMap(({ rules }) => rules)) {
      for (const peer of rule.peers) {
        if (peer.kind === "workloads") peers.set(titleOf(peer), peer);
      }
    }
  }
  const holds = (peer: WorkloadPeer, one: Workload): boolean => selects(peer, one, index);
  const here = [...workloads.values()];
  const draft = new Draft(
    new Set(inventory.namespaces.map(({ name }) => name)),
    namespaceLabels,
    namedPorts,
  );
  draft.add({ namespaces: { kind: "all" }, selector: EVERYTHING }, undefined, false);
  for (const [title, peer] of [...peers].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (title === EVERYBODY) continue;
    // Who is meant by such and such labels is here already; who is meant by everybody, or by a lack, may yet come.
    const isPrecise =
      peer.selector.requirements.length > 0 &&
      peer.selector.requirements.every(({ operator }) => operator === "In");
    if (!isPrecise || !here.some((one) => holds(peer, one))) draft.add(peer, title, false);
    for (const excluded of exclusions(peer)) draft.add(excluded, titleOf(excluded), true);
  }
  return { all: draft.all, namespaces: draft.namespaces };
}

/** Titles of all representatives that rules of a block ask for. */
export function titlesIn({ rules }: Block): ReadonlySet<string> {
  const peers = rules.flatMap((rule) =>
    rule.peers.flatMap((peer) => (peer.kind === "workloads" ? [peer] : [])),
  );
  return new Set(peers.flatMap((peer) => [peer, ...exclusions(peer)]).map(titleOf));
}

type Wanted = Pick<WorkloadPeer, "namespaces" | "selector">;

class Draft {
  readonly all: Representative[] = [];
  readonly namespaces: Namespace[] = [];
  readonly #existing: ReadonlySet<string>;
  readonly #labelsOf: (namespace: string) => Labels;
  readonly #namedPorts: readonly NamedPort[];
  readonly #seen = new Set<string>();

  constructor(
    existing: ReadonlySet<string>,
    labelsOf: (namespace: string) => Labels,
    namedPorts: readonly NamedPort[],
  ) {
    this.#existing = existing;
    this.#labelsOf = labelsOf;
    this.#namedPorts = namedPorts;
  }

  /** Nothing where no labels satisfy the selectors. */
  add({ namespaces, selector }: Wanted, title: string | undefined, isExcluded: boolean): void {
    const labels = labelsFor(selector);
    const namespace = this.#namespaceFor(namespaces);
    if (labels === null || namespace === null || this.#seen.has(title ?? "")) return;
    this.#seen.add(title ?? "");
    const name = `${MARK}${this.all.length}`;
    this.all.push({
      isExcluded,
      ...(title === undefined ? {} : { title }),
      workload: {
        id: `${namespace}/${name}`,
        namespace,
        name,
        kind: "pod",
        labels,
        addresses: [],
        namedPorts: this.#namedPorts,
        hostNetwork: false,
      },
    });
  }

  #namespaceFor(scope: NamespaceScope): string | null {
    if (scope.kind === "named") return scope.name;
    const labels = scope.kind === "all" ? {} : labelsFor(scope.selector);
    if (labels === null) return null;
    const named = labels[NAME_LABEL];
    // A name that the selector asks for is a name; whether its other labels are there, its own declaration says.
    if (named !== undefined && this.#existing.has(named)) {
      const fits = scope.kind === "all" || matches(scope.selector, this.#labelsOf(named));
      return fits ? named : null;
    }
    const name = named ?? `${MARK}${this.namespaces.length}`;
    this.namespaces.push({ name, labels });
    return name;
  }
}

/** The fewest labels that satisfy it; null: none do. */
export function labelsFor(selector: Selector): Labels | null {
  const labels: Record<string, string> = {};
  for (const requirement of selector.requirements) {
    if (requirement.operator === "In") {
      const fitting = requirement.values.find((value) =>
        matches(
          { requirements: selector.requirements.filter(({ key }) => key === requirement.key) },
          {
            [requirement.key]: value,
          },
        ),
      );
      if (fitting === undefined) return null;
      labels[requirement.key] = fitting;
    } else if (requirement.operator === "Exists") labels[requirement.key] ??= `${MARK}any`;
  }
  return matches(selector, labels) ? labels : null;
}

/** Who is left out by `NotIn` and `DoesNotExist`. */
function exclusions({ namespaces, selector }: WorkloadPeer): readonly WorkloadPeer[] {
  const turned = (one: Selector): readonly Selector[] =>
    one.requirements.flatMap((requirement) => {
      const opposite = oppositeOf(requirement);
      if (opposite === undefined) return [];
      const rest = one.requirements.filter(({ key }) => key !== requirement.key);
      return [{ requirements: [...rest, opposite] }];
    });
  return [
    ...turned(selector).map((other) => ({
      kind: "workloads" as const,
      namespaces,
      selector: other,
    })),
    ...(namespaces.kind === "selected"
      ? turned(namespaces.selector).map((other) => ({
          kind: "workloads" as const,
          namespaces: { kind: "selected" as const, selector: other },
          selector,
        }))
      : []),
  ];
}

function oppositeOf(requirement: Requirement): Requirement | undefined {
  switch (requirement.operator) {
    case "NotIn":
      return { key: requirement.key, operator: "In", values: requirement.values };
    case "DoesNotExist":
      return { key: requirement.key, operator: "Exists" };
    case "In":
    case "Exists":
      return undefined;
  }
}
