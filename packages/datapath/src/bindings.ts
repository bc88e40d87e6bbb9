/**
 * Control groups by path and by the kernel's number. A policy names paths, present or not; the kernel knows numbers, which nft
 * writes from paths of those that are there now, and lists as numbers. So the renderer writes all of them by path, and what
 * is loaded and compared holds only those that are bound. A number is never given twice: one of a group that is gone is harmless.
 */
import type { CgroupPath, HostPolicy } from "@bulkhead/model";
import { isPlainCgroup } from "@bulkhead/model";
import { elementCommands } from "./element-changes.ts";
import { ELSEWHERE, MANAGED } from "./names.ts";
import { isOfCgroups } from "./ruleset.ts";
import type { Element, ElementSet, Ruleset } from "./ruleset.ts";
import { setInVersions } from "./versions.ts";
import type { Versions } from "./versions.ts";

export interface Bindings {
  /** Of the control groups that a policy names and that exist. */
  readonly numbers: ReadonlyMap<CgroupPath, string>;
  /** All that exist at the first level. */
  readonly firstLevel: ReadonlyMap<CgroupPath, string>;
  /** Where nft looks for control groups, to the hierarchy of version 2: empty, or `unified/` on hybrid systems. */
  readonly prefix: string;
}

/** Does anything in the kernel's rules ask for processes? */
export const hasProcesses = ({ processes = [], managed = [] }: HostPolicy): boolean =>
  processes.length + managed.length > 0;

/** Is anybody to be cut or reported by control group? */
export const judgesProcesses = ({ live, shadow, canary, managed = [] }: HostPolicy): boolean =>
  managed.length > 0 ||
  [live, shadow, canary?.maps].some(
    (set) => (set?.processes?.egress.length ?? 0) + (set?.processes?.ingress.length ?? 0) > 0,
  );

/** Every control group that the policy names. */
export const namedCgroups = ({ processes = [], managed = [] }: HostPolicy): CgroupPath[] => [
  ...new Set([...processes.map(({ cgroup }) => cgroup), ...managed]),
];

const bindElement = (
  element: Element,
  { numbers, firstLevel, prefix }: Bindings,
): Element | null => {
  const { cgroup, key } = element;
  const number = cgroup && (numbers.get(cgroup) ?? firstLevel.get(cgroup));
  if (cgroup === undefined || number === undefined) return null;
  const rest = key.slice(cgroup.length);
  return { ...element, key: `${number}${rest}`, written: `"${prefix}${cgroup.slice(1)}"${rest}` };
};

/** Who is at the first level and not under enforcement; a newcomer is neither. */
const elsewhere = (ruleset: Ruleset, { firstLevel }: Bindings): Element[] => {
  const managed = ruleset.inet?.sets.get(MANAGED)?.elements;
  return [...firstLevel.keys()]
    .filter((path) => isPlainCgroup(path) && managed?.has(path) !== true)
    .map((path) => ({ key: path, cgroup: path }));
};

const bindSet = (set: ElementSet, bindings: Bindings, others: readonly Element[]): ElementSet => {
  const bound = [...(set.name === ELSEWHERE ? others : set.elements.values())].flatMap(
    (element) => bindElement(element, bindings) ?? [],
  );
  return { ...set, elements: new Map(bound.map((element) => [element.key, element])) };
};

/** What the kernel is to hold while these control groups exist. */
export const bindProcesses = (rendered: Ruleset, bindings: Bindings): Ruleset => {
  const { inet } = rendered;
  if (inet === undefined || ![...inet.sets.values()].some(isOfCgroups)) return rendered;
  const others = elsewhere(rendered, bindings);
  const sets = [...inet.sets].map(
    ([name, set]) => [name, isOfCgroups(set) ? bindSet(set, bindings, others) : set] as const,
  );
  return { ...rendered, inet: { ...inet, sets: new Map(sets) } };
};

export const sameBindings = (a: Bindings, b: Bindings): boolean => {
  const same = (
    one: ReadonlyMap<CgroupPath, string>,
    other: ReadonlyMap<CgroupPath, string>,
  ): boolean =>
    one.size === other.size && [...one].every(([path, number]) => other.get(path) === number);
  return a.prefix === b.prefix && same(a.numbers, b.numbers) && same(a.firstLevel, b.firstLevel);
};

/** What is the same in both. */
export const commonBindings = (a: Bindings, b: Bindings): Bindings => {
  const common = (
    one: ReadonlyMap<CgroupPath, string>,
    other: ReadonlyMap<CgroupPath, string>,
  ): ReadonlyMap<CgroupPath, string> =>
    new Map([...one].filter(([path, number]) => other.get(path) === number));
  return {
    ...a,
    numbers: common(a.numbers, b.numbers),
    firstLevel: common(a.firstLevel, b.firstLevel),
  };
};

/**
 * From one binding of the same rules to another, as one transaction that touches only what changes; empty when nothing does.
 * In one transaction a newcomer becomes known and judged at once: packets ask first whether it is known.
 */
export const rebindProcesses = (
  rendered: Ruleset,
  versions: Versions,
  before: Bindings,
  after: Bindings,
  now: number,
): string => {
  const { inet } = rendered;
  if (inet === undefined) return "";
  const lines: string[] = [];
  const othersBefore = elsewhere(rendered, before);
  const othersAfter = elsewhere(rendered, after);
  for (const set of inet.sets.values()) {
    if (!isOfCgroups(set)) continue;
    const old = bindSet(set, before, othersBefore).elements;
    const wanted = setInVersions(bindSet(set, after, othersAfter), versions);
    const elements = [...wanted.elements.values()];
    const fresh = elements.filter(({ key }) => !old.has(key));
    const isGone = [...old.keys()].some((key) => !wanted.elements.has(key));
    if (isGone) lines.push(`flush ${wanted.kind} ${inet.family} ${inet.name} ${wanted.name}`);
    const alive = (isGone ? elements : fresh).filter(
      ({ deadline }) => deadline === undefined || deadline > now,
    );
    lines.push(...elementCommands("add", inet, wanted, alive, now));
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
};
