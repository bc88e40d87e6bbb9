// The closing line of `make test` is made from these totals; what did not run must count as failed.
import { describe, expect, it } from "vitest";
import { reportOf, totalsOf } from "../scripts/test-report.ts";

type Assertion = {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages: readonly string[];
};

function file(status: string, statuses: readonly string[], message = ""): object {
  const assertionResults: readonly Assertion[] = statuses.map((each, index) => ({
    status: each,
    fullName: `case ${index}`,
    failureMessages: each === "failed" ? ["expected 1 to be 2\nat here"] : [],
  }));
  return { name: "a.test.ts", status, message, assertionResults };
}

function totals(files: readonly object[], runnerOk: boolean): ReturnType<typeof totalsOf> {
  return totalsOf(reportOf(JSON.stringify({ testResults: files })), runnerOk);
}

describe("totals of a test run", () => {
  it("counts passed and failed tests over all files", () => {
    const run = [file("passed", ["passed", "passed"]), file("failed", ["passed", "failed"])];
    expect(totals(run, false)).toEqual({
      totals: { passed: 3, failed: 1 },
      complaints: ["a.test.ts: case 1\n    expected 1 to be 2\n    at here"],
    });
  });

  it.each(["skipped", "pending", "todo", "disabled"])("counts a %s test as failed", (status) => {
    const result = totals([file("passed", ["passed", status])], true);
    expect(result.totals).toEqual({ passed: 1, failed: 1 });
    expect(result.complaints).toEqual([`not run (${status}): case 1`]);
  });

  it("counts a file that does not load", () => {
    const result = totals([file("failed", [], "no such module\nat x")], false);
    expect(result.totals).toEqual({ passed: 0, failed: 1 });
    expect(result.complaints[0]).toContain("no such module");
  });

  it("counts a file whose clean-up failed though its tests passed", () => {
    expect(totals([file("failed", ["passed"], "afterAll")], false).totals).toEqual({
      passed: 1,
      failed: 1,
    });
  });

  it("counts a run without tests", () => {
    expect(totals([], true).totals).toEqual({ passed: 0, failed: 1 });
  });

  it("counts an error outside all files", () => {
    expect(totals([file("passed", ["passed"])], false).totals).toEqual({ passed: 1, failed: 1 });
  });
});
