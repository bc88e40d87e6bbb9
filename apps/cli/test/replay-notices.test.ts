/** What pipelines read of a replay: the first hundred, and how many more there are. */
import type { Affected } from "@bulkhead/model";
import { expect, it } from "vitest";
import { findingsJunit } from "../src/views/findings/junit.ts";
import { replayNotices } from "../src/views/findings/replay-notices.ts";
import { sarifText } from "../src/views/findings/sarif.ts";
import { replay } from "./answers/policies.ts";

const [denied, allowed] = replay.affected as [Affected, Affected];
const many = (row: Affected, length: number): Affected[] =>
  Array.from({ length }, () => ({ ...row, connections: 7 }));

const written = (affected: readonly Affected[]) => {
  const findings = {
    findings: [],
    files: [],
    notices: replayNotices(affected),
  };
  const sarif = JSON.parse(sarifText(findings)) as {
    runs: { results: { ruleId: string; message: { text: string } }[] }[];
  };
  return { sarif: sarif.runs[0]!.results, junit: findingsJunit(findings) };
};

it("are followed by what is not listed, of each kind", () => {
  const { sarif, junit } = written([...many(denied, 103), ...many(allowed, 2)]);
  expect(sarif).toHaveLength(102);
  expect(sarif.slice(100).map(({ ruleId, message }) => `${ruleId}: ${message.text}`)).toEqual([
    "NewlyDenied: 3 more: 21 recorded connections newly denied besides those listed, the first 100; -o json lists all",
    "NewlyAllowed: 2 more: 14 recorded connections newly allowed besides those listed, the first 100; -o json lists all",
  ]);
  expect(junit).toContain('tests="102" failures="0"');
  expect(junit).toContain('name="NewlyDenied 3 more"');
  expect(junit).toContain("warning: 3 more: 21 recorded connections newly denied");
});

it("say nothing of more where all are listed", () => {
  const { sarif, junit } = written(many(denied, 100));
  expect(sarif).toHaveLength(100);
  expect(junit).not.toContain("more:");
});
