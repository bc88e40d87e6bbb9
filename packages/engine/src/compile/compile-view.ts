/**
 * All classes of one view (live, shadow, or a rollout's), found by asking which blocks select which identity. A class that
 * says what one of the compilation before said is that one, with every row that was found for it.
 */
import type { Block, ClassId, Direction } from "@bulkhead/model";
import { classProgram, type Program } from "./class-program.ts";
import { ClassMap, type ClassContext } from "./class-map.ts";
import type { Identity } from "./identity-table.ts";
import type { ActiveBlock, ViewReading } from "./policy-reading.ts";

export interface CompiledClass {
  readonly direction: Direction;
  /** It judges processes of the machine, who meet loopback and are not exempt from one another; else addresses. */
  readonly ofProcesses: boolean;
  /** What makes it this class: direction, block ids, and the named ports its rules look up on it. */
  readonly key: string;
  readonly blocks: readonly Block[];
  readonly map: ClassMap;
}

export interface ViewCompiler {
  /**
   * Null: nothing asks about them in this direction, and the default allows. Several own one address: what any of them
   * would be denied is denied. Asked again with the same list, it gives the same answer without a search.
   */
  classOf(owners: readonly Identity[], direction: Direction): CompiledClass | null;
  /** As `classOf`, for processes of the machine. */
  classOfProcess(process: Identity, direction: Direction): CompiledClass | null;
  /** Does any block ask about them, in either direction? */
  isSubject(identity: Identity): boolean;
}

/** Classes by everything that they say. */
export class ClassShelf {
  readonly #classes = new Map<string, CompiledClass>();
  readonly #before: ReadonlyMap<string, CompiledClass>;

  constructor(before?: ClassShelf) {
    this.#before = before === undefined ? new Map() : before.#classes;
  }

  take(content: string, make: () => CompiledClass): CompiledClass {
    let found = this.#classes.get(content) ?? this.#before.get(content);
    found ??= make();
    this.#classes.set(content, found);
    return found;
  }
}

/** The policy of one identity, not yet of an address. */
interface Part {
  readonly key: string;
  /** The key, and the versions of what the blocks say. */
  readonly content: string;
  readonly blocks: readonly Block[];
  readonly program: Program;
}

export function createViewCompiler(
  { set, blocks: byDirection }: ViewReading,
  context: ClassContext,
  shelf: ClassShelf,
): ViewCompiler {
  const { peers, decisions } = context;
  const candidates = (direction: Direction) =>
    byDirection[direction].map(({ block, version }) => ({
      block,
      version,
      subject: peers.intern(block.subject),
      names: direction === "ingress" ? portNames(block) : [],
    }));
  const candidatesOf = { egress: candidates("egress"), ingress: candidates("ingress") };
  const partsByContent = new Map<string, Part>();
  const ofIdentity = {
    egress: new Map<Identity, Part | null>(),
    ingress: new Map<Identity, Part | null>(),
  };
  const selected = new Map<Identity, boolean>();
  const silent = (direction: Direction) =>
    classProgram({ set, direction, blocks: [], resolve: () => [], decisions });

  const findPart = (identity: Identity, direction: Direction): Part | null => {
    const selected = candidatesOf[direction].filter(({ subject }) => identity.hit(subject));
    if (selected.length === 0 && set.profile.default === "allow") return null;
    const names = [...new Set(selected.flatMap((candidate) => candidate.names))].toSorted();
    const resolved = names.map((name) => [name, resolveAll(identity, name)]);
    const versions = selected.map(({ version }) => version);
    const content = JSON.stringify([direction, versions, resolved]);
    let part = partsByContent.get(content);
    if (part === undefined) {
      const blocks = selected.map(({ block }) => block);
      const ids = blocks.map(({ id }) => id).toSorted();
      const resolve = (name: string, protocol: number) => identity.resolve(name, protocol);
      part = {
        key: JSON.stringify([direction, ids, resolved]),
        content,
        blocks,
        program: classProgram({ set, direction, blocks, resolve, decisions }),
      };
      partsByContent.set(content, part);
    }
    return part;
  };

  const partOf = (identity: Identity, direction: Direction): Part | null => {
    const parts = ofIdentity[direction];
    let part = parts.get(identity);
    if (part === undefined) parts.set(identity, (part = findPart(identity, direction)));
    return part;
  };

  const find = (owners: readonly Identity[], direction: Direction): CompiledClass | null => {
    const parts = owners.map((owner) => partOf(owner, direction));
    const [first = null, ...others] = parts;
    if (others.every((part) => part === first)) {
      if (first === null) return null;
      const { key, content, blocks, program } = first;
      return shelf.take(content, () => ({
        direction,
        ofProcesses: false,
        key,
        blocks,
        map: new ClassMap([program], context),
      }));
    }
    const content = JSON.stringify([direction, parts.map((part) => part?.content ?? null)]);
    return shelf.take(content, () => ({
      direction,
      ofProcesses: false,
      key: JSON.stringify([direction, parts.map((part) => part?.key ?? null)]),
      blocks: [...new Set(parts.flatMap((part) => part?.blocks ?? []))],
      map: new ClassMap(
        parts.map((part) => part?.program ?? silent(direction)),
        context,
      ),
    }));
  };

  const known = {
    egress: new Map<readonly Identity[], CompiledClass | null>(),
    ingress: new Map<readonly Identity[], CompiledClass | null>(),
  };
  return {
    classOf(owners, direction) {
      let found = known[direction].get(owners);
      if (found === undefined) known[direction].set(owners, (found = find(owners, direction)));
      return found;
    },
    classOfProcess(process, direction) {
      const part = partOf(process, direction);
      if (part === null) return null;
      const { key, content, blocks, program } = part;
      return shelf.take(`process ${content}`, () => ({
        direction,
        ofProcesses: true,
        key: `process ${key}`,
        blocks,
        map: new ClassMap([program], context),
      }));
    },
    isSubject(identity) {
      let found = selected.get(identity);
      if (found === undefined) {
        found = [...candidatesOf.egress, ...candidatesOf.ingress].some(({ subject }) =>
          identity.hit(subject),
        );
        selected.set(identity, found);
      }
      return found;
    },
  };
}

function portNames({ rules }: ActiveBlock["block"]): string[] {
  return rules.flatMap(({ ports }) =>
    ports.flatMap((port) => (port.kind === "named" ? [`${port.protocol}/${port.name}`] : [])),
  );
}

function resolveAll(identity: Identity, protocolAndName: string): number[] {
  const slash = protocolAndName.indexOf("/");
  return identity
    .resolve(protocolAndName.slice(slash + 1), Number(protocolAndName.slice(0, slash)))
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

/** Class ids are hashes of these. The set of maps is part of it: the same blocks may hold staged rules. */
export function classIdKey(slot: string, { key }: CompiledClass): ClassId {
  return `${slot} ${key}`;
}
