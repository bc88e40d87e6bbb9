/** A suggestion from everything on record: which spans of time count, which prefixes were said, what is in force already. */
import { ApiFailure, type SuggestAnswer, type SuggestRequest } from "@bulkhead/api";
import { mergeEdges, readRange, spansOutside, suggest } from "@bulkhead/learn";
import type { Cidr, EdgeHistory, Inventory } from "@bulkhead/model";
import { suggestionReport } from "@bulkhead/workbench";
import { namesOf, type DomainSet } from "../policy/domain-sets.ts";

export interface SuggestionContext {
  readonly historiesIn: (
    since: number | undefined,
    until: number | undefined,
  ) => Promise<readonly EdgeHistory[]>;
  /** Asked for after the edges: who came meanwhile is known. */
  readonly inventory: () => Inventory;
  readonly domainSets: () => readonly DomainSet[];
  /** What a person has accepted for good, though doubtful. */
  readonly accepted: () => readonly string[];
  /** What a person has rejected. */
  readonly rejected: () => readonly string[];
}

export async function suggestion(
  request: SuggestRequest,
  context: SuggestionContext,
): Promise<SuggestAnswer> {
  const { since, until, namespaces, ranges = [], exclude = [] } = request;
  const { includePeople = false, accept = [], proposeLabels = false, formerRoles = {} } = request;
  const { maxRules } = request;
  const said = ranges.map(rangeOf);
  const backwards = exclude.find(({ from, to }) => from >= to);
  if (backwards !== undefined) {
    throw new ApiFailure("bad-request", "a window that is excluded ends before it begins");
  }
  const span = {
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  const history: EdgeHistory[] = [];
  // One after the other: the store takes one question at a time.
  for (const part of spansOutside(span, exclude)) {
    for (const one of await context.historiesIn(part.since, part.until)) history.push(one);
  }
  const edges = mergeEdges(history.map(({ edge }) => edge));
  const found = suggest(edges, context.inventory(), {
    history,
    accept: [...accept, ...context.accepted()],
    reject: context.rejected(),
    proposeLabels,
    formerRoles: new Map(Object.entries(formerRoles)),
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(maxRules === undefined ? {} : { maxRules }),
    ranges: said,
    includePeople,
    namedSets: namesOf(context.domainSets()),
  });
  const report = suggestionReport(found, request.all);
  // What was accepted before is nobody's slip today.
  const idleAccepts = report.idleAccepts.filter(({ text }) => accept.includes(text));
  return { ...report, idleAccepts, ...span };
}

function rangeOf(text: string): Cidr {
  const read = readRange(text);
  if ("cidr" in read) return read.cidr;
  throw new ApiFailure("bad-request", read.error, { help: read.help });
}
