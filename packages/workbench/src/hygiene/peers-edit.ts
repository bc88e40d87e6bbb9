/** Where a text of ours says who a rule's peers are, and what would stand there instead; entries that stay keep their words. */
import { isSeq } from "yaml";
import type { Edit } from "../lint/fix-places.ts";
import { itemTexts, listEdit, valueEdit, valueOf, type FindMap } from "./list-edit.ts";

export type PeerSide = "from" | "to";

export interface PeersEdit {
  readonly edit: Edit;
  /** What stands there then. */
  readonly peers: readonly string[];
}

/** `maps`: of this text. `at`: the offset of the rule. `replaced`: by place among the entries, what stands there instead. A text: why not. */
export function peersEdit(
  text: string,
  maps: FindMap,
  at: number,
  side: PeerSide,
  replaced: ReadonlyMap<number, readonly string[]>,
): PeersEdit | string {
  const rule = maps(at);
  if (rule === undefined) return "its place in the text is not known";
  const value = valueOf(rule, side);
  if (!isSeq(value)) {
    const peers = replaced.get(0) ?? [];
    if (peers.length !== 1) {
      return peers.length === 0 ? "nobody used it" : "its kind names one peer at each end";
    }
    const edit = valueEdit(value, peers[0]!, text, `only ${peers[0]!}`);
    return typeof edit === "string" ? edit : { edit, peers };
  }
  const written = itemTexts(value, text);
  if (written === undefined) return "its peers stand elsewhere in the text";
  const peers = [...new Set(written.flatMap((one, index) => replaced.get(index) ?? [one]))];
  if (peers.length === 0) return "nobody used it";
  const edit = listEdit(value, peers, text, `only ${peers.join(", ")}`, "its peers");
  return typeof edit === "string" ? edit : { edit, peers };
}
