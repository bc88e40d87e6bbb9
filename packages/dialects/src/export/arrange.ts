/**
 * The same policy in stages that a target has: denials by the end of a tier are said as rules, denials that overrule allowances
 * stand before them, and stages that nothing passes out of are one. Every step keeps the meaning; what has no place stays where
 * it is, and the exporter refuses it by name.
 */
import type { Block, PolicySet, Rule, Stage, StageId } from "@bulkhead/model";
import { portKey } from "../build/lint.ts";

export const APPLICATION = "application";
const DENIALS: readonly Rule["action"][] = ["deny", "reject"];

export const isUsed = ({ blocks }: Stage): boolean => blocks.length > 0;

export const replaced = (set: PolicySet, stages: readonly Stage[]): PolicySet => ({
  ...set,
  stages,
});

export const actionsOf = ({ blocks }: Stage): ReadonlySet<Rule["action"]> =>
  new Set(blocks.flatMap(({ rules }) => rules.map(({ action }) => action)));

const hasOnly = (stage: Stage, ...actions: readonly Rule["action"][]): boolean =>
  [...actionsOf(stage)].every((action) => actions.includes(action));

/** Whoever isolates nobody and has no rules says nothing. */
export const withoutEmpty = (set: PolicySet): PolicySet =>
  replaced(
    set,
    set.stages.map((stage) => ({
      ...stage,
      blocks: stage.blocks.filter(({ isolates, rules }) => isolates || rules.length > 0),
    })),
  );

/** Does the end of the stage deny whoever it is for? */
export const isShut = (stage: Stage): boolean =>
  stage.plane === "net" &&
  stage.mode === "firstMatch" &&
  stage.endIfApplied === "deny" &&
  stage.blocks.some(({ isolates }) => isolates);

const endOf = (block: Block): Block => ({
  ...block,
  id: `${block.id}~end`,
  order: [Number.MAX_VALUE, Number.MAX_VALUE],
  isolates: false,
  rules: [
    {
      id: `${block.id}~end/deny`,
      source: block.source,
      action: "deny",
      peers: [{ kind: "any" }],
      ports: [{ kind: "all" }],
      enforce: block.enforce,
    },
  ],
});

const uniqueEnds = (blocks: readonly Block[]): readonly Block[] => [
  ...new Map(
    blocks
      .filter(({ isolates }) => isolates)
      .map((block) => [
        JSON.stringify([block.subject, block.direction, block.enforce]),
        endOf(block),
      ]),
  ).values(),
];

/** What the end of a tier denies, as rules at its end. A tier that only allows is NetworkPolicy by another name. */
export const withEndsSaid = (set: PolicySet): PolicySet => {
  const used = set.stages.filter((stage) => isUsed(stage) && stage.plane === "net");
  const at = set.stages.findIndex(({ id }) => id === APPLICATION);
  const application = set.stages[at];
  const last = used.filter((stage) => set.stages.indexOf(stage) < at).at(-1);
  const isFree = application !== undefined && !isUsed(application);
  const covered = ({ blocks }: Stage) =>
    blocks.every((block) => block.isolates || hasOwner(block, blocks));
  const isNetworkPolicy = (stage: Stage): boolean =>
    isFree && stage === last && isShut(stage) && hasOnly(stage, "allow") && covered(stage);
  return replaced(
    set,
    set.stages.map((stage): Stage => {
      if (stage === application && last !== undefined && isNetworkPolicy(last))
        return { ...application, blocks: last.blocks.map((one) => ({ ...one, isolates: true })) };
      if (!isShut(stage)) return stage;
      if (isNetworkPolicy(stage)) return { ...stage, blocks: [] };
      const open = stage.blocks.map((block) => ({ ...block, isolates: false }));
      return { ...stage, endIfApplied: "pass", blocks: [...open, ...uniqueEnds(stage.blocks)] };
    }),
  );
};

/** A part of a policy's subjects is isolated with all of them. */
export const hasOwner = ({ policy, direction, subject }: Block, blocks: readonly Block[]) =>
  blocks.some((one) => {
    if (!one.isolates || one.direction !== direction) return false;
    if (JSON.stringify(one.policy) !== JSON.stringify(policy)) return false;
    if (one.subject.kind !== "workloads" || subject.kind !== "workloads") return true;
    if (JSON.stringify(one.subject.namespaces) !== JSON.stringify(subject.namespaces)) return false;
    const own = subject.selector.requirements.map((each) => JSON.stringify(each));
    return one.subject.selector.requirements.every((each) => own.includes(JSON.stringify(each)));
  });

const isAnywhere = ({ action, peers, ports, l7, auth }: Rule): boolean =>
  action === "allow" &&
  l7 === undefined &&
  auth !== "required" &&
  peers.some(({ kind }) => kind === "any") &&
  ports.some(({ kind }) => kind === "all");

const areApart = ({ subject: one }: Block, { subject: other }: Block): boolean =>
  one.kind === "workloads" &&
  other.kind === "workloads" &&
  one.namespaces.kind === "named" &&
  other.namespaces.kind === "named" &&
  one.namespaces.name !== other.namespaces.name;

/** Who isolates and then allows everything says nothing, where nobody else has a word to say of the same subjects. */
export const withoutIdle = (set: PolicySet): PolicySet => {
  const at = set.stages.findIndex(({ id }) => id === APPLICATION);
  const isLast = !set.stages.slice(at + 1).some((stage) => isUsed(stage) && stage.plane === "net");
  const opens = ({ rules }: Block) => rules.some(isAnywhere);
  const isIdle = (block: Block, { blocks }: Stage): boolean =>
    block.rules.every(({ action }) => action === "allow") &&
    blocks.every(
      (other) =>
        other.direction !== block.direction ||
        (other.rules.every(({ action }) => action === "allow") && opens(other)) ||
        areApart(block, other),
    );
  return replaced(
    set,
    set.stages.map((stage) =>
      stage.id === APPLICATION && isLast
        ? {
            ...stage,
            blocks: stage.blocks.filter((block) => !(opens(block) && isIdle(block, stage))),
          }
        : stage,
    ),
  );
};

/** Allowances that a denial in the same words overrules say nothing. */
export const withoutOverruled = (set: PolicySet): PolicySet => {
  const keys = ({ direction, subject }: Block, { peers, ports, enforce }: Rule) =>
    peers.map(
      (peer) =>
        [JSON.stringify([direction, subject, enforce, peer]) + portKey(ports), peer] as const,
    );
  return replaced(
    set,
    set.stages.map((stage) => {
      if (stage.mode !== "denyOverrides") return stage;
      const denied = new Set(
        stage.blocks.flatMap((block) =>
          block.rules
            .filter(({ action, l7 }) => DENIALS.includes(action) && l7 === undefined)
            .flatMap((rule) => keys(block, rule).map(([key]) => key)),
        ),
      );
      const blocks = stage.blocks.map((block) => ({
        ...block,
        rules: block.rules.flatMap((rule) => {
          if (rule.action !== "allow") return [rule];
          const left = keys(block, rule).filter(([key]) => !denied.has(key));
          return left.length === 0 ? [] : [{ ...rule, peers: left.map(([, peer]) => peer) }];
        }),
      }));
      return { ...stage, blocks };
    }),
  );
};

/** Where all of `application` isolates, denials may stay in it. */
export const withDenialsApartIfNeeded = (set: PolicySet): PolicySet => {
  const blocks = set.stages.find(({ id }) => id === APPLICATION)?.blocks ?? [];
  return blocks.every(({ isolates }) => isolates) ? set : withDenialsApart(set);
};

/** Denials that overrule, then what is allowed without isolating, in stages of their own before `application`. */
export const withDenialsApart = (set: PolicySet): PolicySet =>
  replaced(
    set,
    set.stages.flatMap((stage): Stage[] => {
      if (stage.id !== APPLICATION || stage.mode !== "denyOverrides") return [stage];
      const part = (id: string, rules: (block: Block) => readonly Rule[]): Stage => ({
        ...stage,
        id,
        mode: "firstMatch",
        endIfApplied: "pass",
        blocks: stage.blocks
          .map((block) => ({ ...block, order: [0], isolates: false, rules: rules(block) }))
          .filter((block) => block.rules.length > 0),
      });
      const denies = ({ action }: Rule) => DENIALS.includes(action);
      const rest = stage.blocks
        .map((block) => ({ ...block, rules: block.rules.filter((rule) => !denies(rule)) }))
        .filter(({ isolates }) => isolates);
      const stages = [
        part("denials", ({ rules }) => rules.filter(denies)),
        part("allowances", ({ rules, isolates }) =>
          isolates ? [] : rules.filter((rule) => !denies(rule)),
        ),
      ].filter(isUsed);
      return stages.length === 0
        ? [stage]
        : [...chained(stages, APPLICATION), { ...stage, blocks: rest }];
    }),
  );

const chained = (stages: readonly Stage[], last: StageId | null): readonly Stage[] =>
  stages.map((stage, at) => ({ ...stage, onPass: stages[at + 1]?.id ?? last }));

/** Stages of denials alone, right before `application`, are denials that overrule in it. */
export const withDenialsInside = (set: PolicySet): PolicySet => {
  const at = set.stages.findIndex(({ id }) => id === APPLICATION);
  const before = set.stages.slice(0, at).filter((one) => isUsed(one) && one.plane === "net");
  const from = before.findLastIndex((stage) => !hasOnly(stage, ...DENIALS) || isShut(stage));
  const moved = before.slice(from + 1);
  const inside = moved.flatMap(({ blocks }) =>
    blocks.map((block) => ({ ...block, isolates: false })),
  );
  return replaced(
    set,
    set.stages.map((stage) => {
      if (moved.includes(stage)) return { ...stage, blocks: [] };
      return stage.id === APPLICATION ? { ...stage, blocks: [...inside, ...stage.blocks] } : stage;
    }),
  );
};
