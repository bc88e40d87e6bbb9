/** One active block of a policy set, read once: where it stands, whom it may concern, and what it says but for names. */
import type { Block, PortMatch, Rule } from "@bulkhead/model";
import { isActive, type DecideOptions } from "../judge-stage.ts";
import type { ClusterMap } from "./cluster-map.ts";
import type { Shard, Words } from "./roster.ts";

export interface BlockEntry {
  readonly number: number;
  /** Position of its stage. */
  readonly stage: number;
  readonly block: Block;
  /** Only those that are active. */
  readonly rules: readonly Rule[];
  /** Equal where stage, order, actions and ports are: what is left out is who, and what it is called. */
  readonly form: number;
  /** Of ingress: names of ports, to be resolved on the subject. */
  readonly names: readonly NamedRef[];
  /** The namespace of its subjects, where it is named. */
  readonly shard: Shard | null;
  /** Those that it makes what they are. */
  maps: ClusterMap[];
  /** Rows of which it determines everything: what is painted there, and the row's number, in turns. */
  rows: number[];
}

export type NamedRef = Extract<PortMatch, { readonly kind: "named" }>;

const NONE: readonly NamedRef[] = [];
/** Never written to: see `append`. */
const NO_MAPS: ClusterMap[] = [];
const NO_ROWS: number[] = [];

/** Null: it is not active. Its words are added to `words`. */
export function readBlock(
  block: Block,
  stage: number,
  number: number,
  options: DecideOptions,
  context: {
    readonly words: Words;
    readonly shardOf: (name: string) => Shard;
    readonly formOf: (text: string) => number;
  },
): BlockEntry | null {
  if (!isActive(block, options)) return null;
  const rules = block.rules.every((rule) => isActive(rule, options))
    ? block.rules
    : block.rules.filter((rule) => isActive(rule, options));
  const { subject, direction } = block;
  addWords(subject, context.words);
  let text = `${stage} ${block.order.join()} ${block.isolates}`;
  let names = NONE;
  for (const { action, peers, ports } of rules) {
    text += `;${action}`;
    for (const peer of peers) addWords(peer, context.words);
    for (const port of ports) {
      text += portText(port);
      if (port.kind !== "named") continue;
      context.words.portNames.add(port.name);
      if (direction === "ingress") names = [...names, port];
    }
  }
  const isNamed = subject.kind === "workloads" && subject.namespaces.kind === "named";
  return {
    number,
    stage,
    block,
    rules,
    form: context.formOf(text),
    names,
    shard: isNamed ? context.shardOf(subject.namespaces.name) : null,
    maps: NO_MAPS,
    rows: NO_ROWS,
  };
}

function portText(port: PortMatch): string {
  switch (port.kind) {
    case "all":
      return " *";
    case "protocol":
      return ` ${port.protocol}`;
    case "range":
      return ` ${port.protocol}/${port.first}-${port.last}`;
    case "named":
      return ` ${port.protocol}/${port.name.length}:${port.name}`;
  }
}

function addWords(peer: Rule["peers"][number] | Block["subject"], { labelKeys }: Words): void {
  if (peer.kind !== "workloads") return;
  for (const { key } of peer.selector.requirements) if (!labelKeys.has(key)) labelKeys.add(key);
}
