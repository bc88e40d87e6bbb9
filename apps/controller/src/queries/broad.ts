/**
 * Rules that permit ports which nothing used, and a narrower text of them. What was used in the whole record stays permitted;
 * the text is proposed only after every recorded edge was decided again under it, and after it was proved to permit nothing
 * that was not permitted.
 */
import { setImmediate as breathe } from "node:timers/promises";
import type { PoliciesAnswer, ReadinessAnswer } from "@bulkhead/api";
import { createReplay, includes, selects } from "@bulkhead/engine";
import { createRecognition } from "@bulkhead/learn";
import { formatPorts, intersect, type Edge, type PolicySet } from "@bulkhead/model";
import type { Revision } from "@bulkhead/store";
import {
  createPortUse,
  isUse,
  portsEdit,
  type BroadRule,
  type PortUse,
} from "@bulkhead/workbench/hygiene";
import {
  applyEdits,
  inOrder,
  offsetOf,
  unifiedDiff,
  type Edit,
  type FixedFile,
} from "@bulkhead/workbench/lint";
import { keyOf, readGiven, type HeldResource } from "../policy/candidate.ts";
import type { InForce } from "../policy/change.ts";
import { readPolicy } from "../policy/reading.ts";
import type { World } from "../world/world.ts";
import { bornAt } from "./unused.ts";

export interface BroadInput {
  readonly inForce: Pick<InForce, "held" | "reading">;
  /** By their hashes. */
  readonly texts: ReadonlyMap<string, string>;
  readonly world: World;
  /** All on record, own probes left out. */
  readonly edges: readonly Edge[];
  /** Those of the span alone: each with what is known of that time. */
  readonly recent: readonly Edge[];
  /** Newest first. */
  readonly revisions: readonly Revision[];
  readonly readiness: ReadinessAnswer["subjects"];
  readonly since: number;
  /** When the first flow on record was seen by ourselves; undefined without any. */
  readonly oldest: number | undefined;
  readonly now: number;
}

export type Broad = NonNullable<PoliciesAnswer["broad"]>;

/** Edges decided in one go, before others have their turn. */
const AT_ONCE = 500;
const VIEWS = ["live", "shadow"] as const;

export async function broadOf(input: BroadInput): Promise<Broad> {
  const { inForce, world, since, now } = input;
  const { set } = inForce.reading;
  const recognise = createRecognition(world.inventory);
  const used = (edges: readonly Edge[]) => edges.filter(isUse).map(recognise);
  const [recent, all] = [used(input.recent), used(input.edges)];
  const useOf = async (edges: readonly Edge[]): Promise<PortUse> => {
    const use = createPortUse(set, world.index, now);
    await eachOf(edges, use.add);
    return use;
  };
  const lately = (await useOf(recent)).broad();
  const ever = await useOf(all);
  const early = new Map(
    lately.flatMap((one) => {
      const why = tooEarly(one, input);
      return why === undefined ? [] : [[one.place, why] as const];
    }),
  );
  const timely = lately.filter(({ place }) => !early.has(place));
  const narrowed = await narrow(timely, ever, all, input);
  const born = bornAt(input.revisions);
  const rules = lately.map((one) => {
    const why = early.get(one.place);
    const left = why === undefined ? narrowed.left.get(one.place) : undefined;
    const proposed = narrowed.proposed.get(one.place);
    return {
      rule: one.rule.id,
      place: one.place,
      inForceSince: born.get(ownerOf(one)) ?? now,
      permits: formatPorts(one.permits),
      used: formatPorts(one.used),
      slack: one.slack,
      ...(why === undefined ? {} : { tooEarly: why }),
      ...(left === undefined ? {} : { left }),
      ...(proposed === undefined ? {} : { proposed: proposed.join(", ") }),
    };
  });
  return {
    since,
    replayed: all.length,
    rules: rules.toSorted((a, b) => (a.rule < b.rule ? -1 : 1)),
    patch: narrowed.files.map(unifiedDiff).join(""),
  };
}

function ownerOf({ rule }: BroadRule): string {
  return rule.id.split("#")[0] ?? rule.id;
}

function tooEarly(one: BroadRule, input: BroadInput): string | undefined {
  const { since, oldest, now, revisions, readiness, world } = input;
  if ((bornAt(revisions).get(ownerOf(one)) ?? now) > since) return "in force for less";
  if ((oldest ?? now) > since) return "on record for less";
  const { index } = world;
  const subjects = [...index.workloads.values()].filter((workload) =>
    one.blocks.some(({ subject }) => selects(subject, workload, index)),
  );
  const states = new Map(
    readiness.flatMap(({ state, subject }) => subject.workloads.map((id) => [id, state] as const)),
  );
  const learning = subjects.filter(({ id }) => (states.get(id) ?? "learning") === "learning");
  return learning.length === 0 ? undefined : `learning: ${learning[0]!.id}`;
}

interface Proposal {
  readonly one: BroadRule;
  readonly file: HeldFile;
  readonly edit: Edit;
  readonly ports: readonly string[];
}

interface HeldFile {
  readonly name: string;
  readonly text: string;
}

interface Narrowed {
  readonly proposed: ReadonlyMap<string, readonly string[]>;
  /** By place: why not. */
  readonly left: ReadonlyMap<string, string>;
  readonly files: readonly FixedFile[];
}

async function narrow(
  rules: readonly BroadRule[],
  ever: PortUse,
  edges: readonly Edge[],
  input: BroadInput,
): Promise<Narrowed> {
  const left = new Map<string, string>();
  const proposals = rules.flatMap((one): readonly Proposal[] => {
    const made = proposalFor(one, ever, input);
    if (typeof made !== "string") return [made];
    left.set(one.place, made);
    return [];
  });
  // All together first; where that cannot be proved, one after the other.
  let kept: readonly Proposal[] = proposals;
  if (proposals.length > 0 && (await isProved(proposals, edges, input)) !== null) {
    kept = [];
    for (const one of proposals) {
      const why = await isProved([...kept, one], edges, input);
      if (why === null) kept = [...kept, one];
      else left.set(one.one.place, why);
    }
  }
  return {
    proposed: new Map(kept.map(({ one, ports }) => [one.place, ports])),
    left,
    files: filesOf(kept),
  };
}

function proposalFor(one: BroadRule, ever: PortUse, input: BroadInput): Proposal | string {
  const { rule, place, permits } = one;
  const { held, reading } = input.inForce;
  const owner = held.find(({ stored }) => stored.key === ownerOf(one));
  if (owner?.resource.dialect !== "native") return "it is not written in a kind of ours";
  if (reading.set.canary !== undefined) return "a rollout is under way";
  if (rule.l7 !== undefined || rule.auth !== undefined) return "it asks for more than ports";
  const name = rule.source.file;
  const versions = new Set(
    held.filter(({ stored }) => stored.fileName === name).map(({ stored }) => stored.fileHash),
  );
  const text = input.texts.get(owner.stored.fileHash);
  if (text === undefined || versions.size !== 1) return `\`${name}\` is in force in two versions`;
  const keep = intersect(ever.usedAt(place), permits);
  if (formatPorts(keep) === formatPorts(permits)) return "all of it was used before that time";
  const plain = text.replace(/^\uFEFF/, "");
  const edit = portsEdit(plain, offsetOf(plain, rule.source), rule.ports, keep);
  if (edit.kind === "left") return edit.why;
  return { one, file: { name, text }, edit: edit.edit, ports: edit.ports };
}

function filesOf(proposals: readonly Proposal[]): readonly FixedFile[] {
  return [...Map.groupBy(proposals, ({ file }) => file.name)].map(([name, own]) => {
    const { text: before } = own[0]!.file;
    const mark = before.startsWith("\uFEFF") ? "\uFEFF" : "";
    const edits = inOrder(own.map(({ edit }) => edit));
    return { name, before, text: mark + applyEdits(before.slice(mark.length), edits), edits };
  });
}

/** Null: whatever was used still passes, and nothing passes that did not. Otherwise why it is not so. */
async function isProved(
  proposals: readonly Proposal[],
  edges: readonly Edge[],
  { inForce, world: { index }, now }: BroadInput,
): Promise<string | null> {
  const { set: before } = inForce.reading;
  const after = setWith(inForce.held, filesOf(proposals), now);
  if (after === null) return "its text could not be read after the change";
  for (const view of VIEWS) {
    const judge = createReplay({ before, after, index, now, view });
    let denied = false;
    await eachOf(edges, (edge) => {
      const change = judge(edge);
      denied ||= change !== null && change.after.verdict !== "allow";
    });
    if (denied) return "something on record would be denied without it";
    if (includes({ set: after, index }, { set: before, index }, { now, view }).kind !== "included")
      return "it could not be proved that nothing more is permitted";
  }
  return null;
}

function setWith(
  held: readonly HeldResource[],
  files: readonly FixedFile[],
  now: number,
): PolicySet | null {
  const read = new Map(files.map(({ name, text }) => [name, readGiven([{ name, text }])]));
  const after: HeldResource[] = [];
  for (const one of held) {
    const given = read.get(one.stored.fileName);
    const resource = given === undefined ? one.resource : given.resources.get(keyOf(one.resource));
    if (resource === undefined) return null;
    after.push({ ...one, resource });
  }
  return readPolicy(after, { now, strict: false }).set;
}

async function eachOf(edges: readonly Edge[], ask: (edge: Edge) => void): Promise<void> {
  for (const [at, edge] of edges.entries()) {
    if (at % AT_ONCE === AT_ONCE - 1) await breathe();
    ask(edge);
  }
}
