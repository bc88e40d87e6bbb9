/**
 * The common form as policies of Cilium: one object each policy and place it lives in, with as many specs as it has subjects.
 * Read back, they mean what the set means, as far as no diagnostic says otherwise.
 */
import type { Block, PolicySet, Rule, Stage } from "@bulkhead/model";
import {
  createLosses,
  exported,
  freeName,
  plainBlocks,
  refuseStages,
  shortKind,
  type Exported,
  type ExportedObject,
  type ExportOptions,
  type Losses,
} from "../export/exported.ts";
import { isName } from "../native/values.ts";
import { printedRules } from "./print-rules.ts";
import { targetOf, type Target } from "./print-selectors.ts";
import { HOST_STAGE } from "./stages.ts";
import { Unsayable } from "./unsayable.ts";

const STAGES = ["application", HOST_STAGE.id];

const DENIALS: readonly Rule["action"][] = ["deny", "reject"];

interface Piece {
  readonly block: Block;
  readonly target: Target;
}

/** Which rules of a direction a block becomes; and what it says where it has none. */
const sectionOf = ({ block, target }: Piece, losses: Losses): ExportedObject => {
  const { direction, rules, isolates } = block;
  const lists = { allow: [] as unknown[], deny: [] as unknown[] };
  const put = (rule: Rule): void => {
    try {
      const printed = printedRules(rule, direction, target.namespace);
      lists[rule.action === "deny" ? "deny" : "allow"].push(...printed);
    } catch (problem) {
      if (!(problem instanceof Unsayable)) throw problem;
      // Without an allow less is permitted, and without a denial more; a line in a log permits nothing.
      losses.accept(DENIALS.includes(rule.action) ? "over" : "under", rule.source, problem.what);
    }
  };
  for (const rule of rules) put(rule);
  const isBare = lists.allow.length + lists.deny.length === 0;
  return {
    // A section without a rule would be none: this one allows nobody.
    ...(isBare ? { [direction]: [{}] } : {}),
    ...(lists.allow.length > 0 ? { [direction]: lists.allow } : {}),
    ...(lists.deny.length > 0 ? { [`${direction}Deny`]: lists.deny } : {}),
    ...(isolates ? {} : { enableDefaultDeny: { [direction]: false } }),
  };
};

const merged = (sections: readonly ExportedObject[]): ExportedObject => {
  const defaults = sections.map((one) => one["enableDefaultDeny"]);
  const enableDefaultDeny: unknown = Object.assign({}, ...defaults);
  return {
    ...(defaults.some((one) => one !== undefined) ? { enableDefaultDeny } : {}),
    ...Object.assign({}, ...sections.map(({ enableDefaultDeny: _default, ...rest }) => rest)),
  };
};

/** At most one block of a direction in each: Cilium has one section for it. */
const specsOf = (pieces: readonly Piece[]): readonly (readonly Piece[])[] => {
  const specs: Piece[][] = [];
  for (const piece of pieces) {
    const fitting = specs.find(
      ([first, ...more]) =>
        JSON.stringify(first?.target.subject) === JSON.stringify(piece.target.subject) &&
        [first, ...more].every((one) => one?.block.direction !== piece.block.direction),
    );
    if (fitting === undefined) specs.push([piece]);
    else fitting.push(piece);
  }
  return specs;
};

const homeOf = ({ target }: Piece): string => target.namespace ?? "";

const pieceOf = (stage: Stage, block: Block, losses: Losses): readonly Piece[] => {
  try {
    const target = targetOf(block.subject);
    const isOfNodes = "nodeSelector" in target.subject;
    if (isOfNodes === (stage.id === HOST_STAGE.id)) return [{ block, target }];
    throw new Unsayable("this policy is for nodes among pods");
  } catch (problem) {
    if (!(problem instanceof Unsayable)) throw problem;
    losses.refuse(block.source, problem.what);
    return [];
  }
};

const objectOf = (
  group: readonly Piece[],
  taken: Set<string>,
  losses: Losses,
): readonly ExportedObject[] => {
  const [one] = group;
  if (one === undefined) return [];
  const { kind, name } = one.block.policy;
  const plain = isName(name) ? name : "policy";
  const home = homeOf(one);
  const [first, ...more] = specsOf(group).map((pieces) => ({
    ...pieces[0]?.target.subject,
    ...merged(pieces.map((piece) => sectionOf(piece, losses))),
  }));
  return [
    {
      apiVersion: "cilium.io/v2",
      kind: home === "" ? "CiliumClusterwideNetworkPolicy" : "CiliumNetworkPolicy",
      metadata: {
        name: freeName([plain, `${plain}-${shortKind(kind)}`], home, taken),
        ...(home === "" ? {} : { namespace: home }),
      },
      ...(more.length === 0 ? { spec: first } : { specs: [first, ...more] }),
    },
  ];
};

/** The set should be built without the guard of metadata addresses, which Cilium has no stage for. */
export const exportCilium = (set: PolicySet, options: ExportOptions = {}): Exported => {
  const losses = createLosses("Cilium", options);
  refuseStages(set, STAGES, losses);
  const pieces = set.stages
    .filter(({ id }) => STAGES.includes(id))
    .flatMap((stage) =>
      plainBlocks(stage, losses).flatMap((block) => pieceOf(stage, block, losses)),
    );
  const groups = Map.groupBy(pieces, (piece) => {
    const { kind, namespace, name } = piece.block.policy;
    return JSON.stringify([homeOf(piece), name, kind, namespace]);
  });
  const taken = new Set<string>();
  const objects = [...groups.keys()]
    .toSorted()
    .flatMap((key) => objectOf(groups.get(key) ?? [], taken, losses));
  return exported(objects, losses);
};
