/**
 * All classes of one view (live or shadow), found by asking which blocks select which identity, and compiled on demand.
 */
import type { Block, ClassId, Direction, PolicySet, Workload } from "@bulkhead/model";
import { isActive, type View } from "../judge-stage.ts";
import { classProgram, type ProgramInput } from "./class-program.ts";
import { ClassMap, type ClassContext } from "./class-map.ts";
import type { IdentityNumber } from "./identity-table.ts";

export interface CompiledClass {
  readonly direction: Direction;
  /** What makes it this class: direction, block ids, and the named ports its rules look up on it. */
  readonly key: string;
  readonly blocks: readonly Block[];
  readonly map: ClassMap;
}

export interface ViewCompiler {
  /**
   * Null: nothing asks about these workloads in this direction, and the default allows. Several workloads claim one
   * address: what any of them would be denied is denied.
   */
  classOf(owners: readonly Workload[], direction: Direction): CompiledClass | null;
}

export function createViewCompiler(
  set: PolicySet,
  view: View,
  context: ClassContext,
): ViewCompiler {
  const { identities, now, decisions, conflicts } = context;
  const options = { now, view };
  const candidates = (direction: Direction) =>
    set.stages
      .flatMap((stage) => stage.blocks)
      .filter((block) => block.direction === direction && isActive(block, options))
      .map((block) => ({
        block,
        hits: identities.hits(block.subject),
        names: direction === "ingress" ? portNames(block) : [],
      }));
  const byDirection = { egress: candidates("egress"), ingress: candidates("ingress") };
  const classes = new Map<string, CompiledClass>();
  const ofIdentity = {
    egress: new Map<IdentityNumber, CompiledClass | null>(),
    ingress: new Map<IdentityNumber, CompiledClass | null>(),
  };

  const program = (of: Pick<ProgramInput, "direction" | "blocks" | "resolve">) =>
    classProgram({ set, options, decisions, conflicts, ...of });

  const find = (identity: IdentityNumber, direction: Direction): CompiledClass | null => {
    const selected = byDirection[direction].filter(({ hits }) => hits[identity] === 1);
    if (selected.length === 0 && set.profile.default === "allow") return null;
    const names = [...new Set(selected.flatMap((candidate) => candidate.names))].toSorted();
    const resolved = names.map((name) => resolveAll(identities, identity, name));
    const key = JSON.stringify([
      direction,
      selected.map(({ block }) => block.id).toSorted(),
      names.map((name, i) => [name, resolved[i]]),
    ]);
    let found = classes.get(key);
    if (found === undefined) {
      const blocks = selected.map(({ block }) => block);
      const resolve = (name: string, protocol: number) =>
        identities.resolve(identity, name, protocol);
      const map = new ClassMap([program({ direction, blocks, resolve })], context);
      found = { direction, key, blocks, map };
      classes.set(key, found);
    }
    return found;
  };

  const classOfOne = (workload: Workload, direction: Direction): CompiledClass | null => {
    const identity = identities.of(workload);
    let found = ofIdentity[direction].get(identity);
    if (found === undefined) {
      found = find(identity, direction);
      ofIdentity[direction].set(identity, found);
    }
    return found;
  };

  return {
    classOf(owners, direction) {
      const parts = owners.map((owner) => classOfOne(owner, direction));
      const [first = null, ...others] = parts;
      if (others.every((part) => part === first)) return first;
      const key = JSON.stringify([direction, parts.map((part) => part?.key ?? null)]);
      let found = classes.get(key);
      if (found === undefined) {
        const silent = program({ direction, blocks: [], resolve: () => [] });
        const programs = parts.flatMap((part) => part?.map.programs ?? [silent]);
        const blocks = [...new Set(parts.flatMap((part) => part?.blocks ?? []))];
        found = { direction, key, blocks, map: new ClassMap(programs, context) };
        classes.set(key, found);
      }
      return found;
    },
  };
}

function portNames({ rules }: Block): string[] {
  return rules.flatMap(({ ports }) =>
    ports.flatMap((port) => (port.kind === "named" ? [`${port.protocol}/${port.name}`] : [])),
  );
}

function resolveAll(
  identities: ClassContext["identities"],
  identity: IdentityNumber,
  protocolAndName: string,
): number[] {
  const slash = protocolAndName.indexOf("/");
  return identities
    .resolve(identity, protocolAndName.slice(slash + 1), Number(protocolAndName.slice(0, slash)))
    .toSorted((a, b) => a - b);
}

/** Does a staged block or rule, or one of a rollout, make this class what it is? If not, it says the same in all views. */
export function isTouchedByStaging({ blocks }: CompiledClass): boolean {
  return blocks.some(
    (block) =>
      block.enforce === "staged" ||
      block.canary === true ||
      block.rules.some(({ enforce }) => enforce === "staged"),
  );
}

/** Class ids are hashes of these. The view is part of it: the same blocks may hold staged rules. */
export function classIdKey(view: View, { key }: CompiledClass): ClassId {
  return `${view} ${key}`;
}
