/** Which lines of what was set aside are listed, where there are more than anybody reads: first those that a person decides on. */
import { summarise } from "@bulkhead/learn";
import {
  SET_ASIDE_REASONS,
  type SetAside,
  type SetAsideGroup,
  type SetAsideReason,
} from "@bulkhead/model";
import { REASONS } from "./reasons.ts";
import { many } from "./words.ts";

const LISTED = 20;

/** What may be needed after all; the others in the order of their kinds. */
const TO_DECIDE: readonly SetAsideReason[] = [
  "lone",
  "first-ever",
  "off-hours",
  "fan-out",
  "beacon",
  "world",
  "denied",
  "pending",
];

const worth = ({ reason }: SetAsideGroup): number => {
  const place = TO_DECIDE.indexOf(reason);
  return place === -1 ? TO_DECIDE.length + SET_ASIDE_REASONS.indexOf(reason) : place;
};

export interface ListedGroups {
  /** In the order in which they were given. */
  readonly shown: readonly SetAsideGroup[];
  /** `and 3 more (40 edges): never answered (38 edges), …`; nothing where all are shown. */
  readonly rest: readonly string[];
}

export function listedGroups(groups: readonly SetAsideGroup[], all: boolean): ListedGroups {
  if (all || groups.length <= LISTED) return { shown: groups, rest: [] };
  const first = new Set(groups.toSorted((a, b) => worth(a) - worth(b)).slice(0, LISTED));
  const others = groups.filter((group) => !first.has(group));
  const edgesOf = (some: readonly SetAsideGroup[]): number =>
    some.reduce((sum, { edges }) => sum + edges, 0);
  const kinds = [...Map.groupBy(others, ({ reason }) => reason)].map(
    ([reason, own]) => `${REASONS[reason]} (${many(edgesOf(own), "edge")})`,
  );
  const count = `and ${many(others.length, "more line", "more lines")}, ${many(edgesOf(others), "edge")}`;
  return {
    shown: groups.filter((group) => first.has(group)),
    rest: [`${count}: ${kinds.join(", ")}; \`bulkhead suggest --all\` lists them`],
  };
}

/** The same of edges. */
export const listedAsides = (setAside: readonly SetAside[], all: boolean): ListedGroups =>
  listedGroups(summarise(setAside), all);

/** Names, at most so many of them. */
export function listedNames(names: readonly string[], all: boolean): readonly string[] {
  const rest = names.length - LISTED;
  if (all || rest <= 0) return names;
  return [...names.slice(0, LISTED), `and ${rest} more`];
}
