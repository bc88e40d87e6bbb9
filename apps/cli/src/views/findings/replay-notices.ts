/**
 * What a change does to recorded connections, as other programs read findings: one for each two parties and what decides,
 * at the rule that does. They are for people to judge, and end nothing with an error.
 */
import { NOWHERE, type Affected, type Determinant, type SourceSpan } from "@bulkhead/model";
import { count, moment } from "../../ui/words.ts";
import { ownersOf, partyText, portsText } from "../affected.ts";
import { shortDeterminant } from "../determinant.ts";
import { pathOf } from "./place.ts";

export interface Notice {
  /** Names the kind, in the place of a finding's code. */
  readonly id: "NewlyDenied" | "NewlyAllowed";
  readonly level: "warning" | "note";
  readonly title: string;
  readonly span: SourceSpan;
  readonly text: string;
}

/** Code scanning takes thousands of results, and nobody reads them. */
const MOST = 100;

export function replayNotices(affected: readonly Affected[]): readonly Notice[] {
  return [...affected.slice(0, MOST).map(noticeOf), ...restOf(affected.slice(MOST))];
}

function noticeOf(row: Affected): Notice {
  const { change, source, destination, connections, firstSeen, lastSeen, before, after } = row;
  const owners = ownersOf(row);
  const whose = owners.length === 0 ? "" : `; owner ${owners.join(", ")}`;
  const what = `${partyText(source)} to ${partyText(destination)} ${portsText(row)}`;
  return {
    ...KINDS[change],
    span: spanOf(after),
    text: `${what}: ${count(connections, "recorded connection")} from ${moment(firstSeen)} to ${moment(lastSeen)} newly ${change} by ${shortDeterminant(after, pathOf)}, before: ${shortDeterminant(before, pathOf)}${whose}`,
  };
}

/** One for each kind of what is not listed, so that nobody takes a list for the whole. */
function restOf(rest: readonly Affected[]): readonly Notice[] {
  return [...Map.groupBy(rest, ({ change }) => change)].map(([change, own]): Notice => {
    const connections = own.reduce((sum, row) => sum + row.connections, 0);
    return {
      ...KINDS[change],
      span: NOWHERE,
      text: `${own.length} more: ${count(connections, "recorded connection")} newly ${change} besides those listed, the first ${MOST}; -o json lists all`,
    };
  });
}

const KINDS: Readonly<Record<Affected["change"], Pick<Notice, "id" | "level" | "title">>> = {
  denied: {
    id: "NewlyDenied",
    level: "warning",
    title: "recorded connections that the change denies",
  },
  allowed: {
    id: "NewlyAllowed",
    level: "note",
    title: "recorded connections that were denied, and that the change allows",
  },
};

function spanOf(by: Determinant): SourceSpan {
  return by.kind === "rule" || by.kind === "isolation" ? by.source : NOWHERE;
}
