/**
 * The program at the hooks of netfilter, in both families, as pinned links. One is ours if it is where it should be and runs the program
 * that this process has loaded, with the maps that are pinned; another version of it gives way once the new one is there. That a
 * link was detached the kernel does not tell: its place is then free, and only who tries to take it learns that.
 */
import { join } from "node:path";
import {
  NETFILTER_FAMILY,
  NETFILTER_HOOK,
  attach,
  openPinnedLink,
  openProgram,
  pin,
  unpin,
} from "../../bpf/index.ts";
import type { BpfLink, BpfObject, LinkSpec } from "../../bpf/index.ts";
import { isKernelError } from "../../kernel/index.ts";

const PROGRAM = "bh_packet";
/** Two, so that a new version may stand beside the old one. */
const PRIORITIES = [-1, -2] as const;

type Spec = Extract<LinkSpec, { readonly kind: "netfilter" }>;

const PLACES = (["forward", "input", "output"] as const).flatMap((hook) =>
  (["ipv4", "ipv6"] as const).map((family) => ({ hook, family })),
);

type Place = (typeof PLACES)[number];

const specOf = (place: Place, priority: number): Spec => ({
  kind: "netfilter",
  ...place,
  priority,
});

export interface HookLinks {
  /** Attaches and pins what is missing, and takes away what is in its place. Throws `KernelError`. */
  ensure(object: BpfObject): void;
  /** Sentences for places where the program does not run. */
  missing(object: BpfObject): readonly string[];
  /** Takes the program off all hooks at once. */
  detach(): void;
}

/** `inside`: does something in the network namespace. */
export const createHookLinks = (folder: string, inside: <T>(work: () => T) => T): HookLinks => {
  const pathOf = ({ hook, family }: Place, priority: number): string =>
    join(folder, `${hook}-${family}${priority}`);

  /** Null: somebody has the place. */
  const take = (object: BpfObject, spec: Spec): BpfLink | null => {
    try {
      return inside(() => attach(object.program(PROGRAM), spec));
    } catch (error) {
      if (isKernelError(error, "EBUSY")) return null;
      throw error;
    }
  };

  const isTaken = (object: BpfObject, spec: Spec): boolean => {
    const link = take(object, spec);
    link?.close();
    return link === null;
  };

  const runsOurs = (object: BpfObject, programId: number): boolean => {
    const program = openProgram(programId);
    if (program === null) return false;
    const { info } = program;
    program.close();
    const ours = object.program(PROGRAM).info;
    const ids = new Set([...object.maps.values()].map((map) => map.info.id));
    return (
      info.tag === ours.tag && ours.mapIds.every((id) => !ids.has(id) || info.mapIds.includes(id))
    );
  };

  const isGood = (object: BpfObject, place: Place, priority: number): boolean => {
    const link = openPinnedLink(pathOf(place, priority));
    if (link === null) return false;
    const info = link.info();
    link.close();
    return (
      info.kind === "netfilter" &&
      info.family === NETFILTER_FAMILY[place.family] &&
      info.hook === NETFILTER_HOOK[place.hook] &&
      info.priority === priority &&
      runsOurs(object, info.programId) &&
      isTaken(object, specOf(place, priority))
    );
  };

  const goodOne = (object: BpfObject, place: Place): number | undefined =>
    PRIORITIES.find((priority) => isGood(object, place, priority));

  const takeOff = (path: string): void => {
    const link = openPinnedLink(path);
    if (link === null) return;
    link.detach();
    link.close();
    unpin(path);
  };

  const attachAt = (object: BpfObject, place: Place): number => {
    for (const priority of PRIORITIES) {
      const link = take(object, specOf(place, priority));
      if (link === null) continue;
      try {
        unpin(pathOf(place, priority));
        pin(link, pathOf(place, priority));
      } finally {
        link.close();
      }
      return priority;
    }
    // Both places are somebody's, or ours and no good: the last one gives way.
    const [priority] = PRIORITIES;
    takeOff(pathOf(place, priority));
    const link = inside(() => attach(object.program(PROGRAM), specOf(place, priority)));
    pin(link, pathOf(place, priority));
    link.close();
    return priority;
  };

  return {
    ensure(object) {
      for (const place of PLACES) {
        const good = goodOne(object, place) ?? attachAt(object, place);
        for (const priority of PRIORITIES) if (priority !== good) takeOff(pathOf(place, priority));
      }
    },
    missing: (object) =>
      PLACES.filter((place) => goodOne(object, place) === undefined).map(
        ({ hook, family }) => `the program at ${hook} for ${family} is not ours, or not there`,
      ),
    detach() {
      for (const place of PLACES)
        for (const priority of PRIORITIES) takeOff(pathOf(place, priority));
    },
  };
};
