// Reads the JSON report of one test run and says how many tests passed and failed. What must not
// go unnoticed is counted as a failure: a file that did not load, a test that was skipped, a run
// that found no test at all, and a runner that failed although each of its tests passed.

export type Totals = { readonly passed: number; readonly failed: number };

type Assertion = {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[];
};

export type Report = {
  readonly files: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertions: readonly Assertion[];
  }[];
};

type RawReport = {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly Assertion[];
  }[];
};

export function reportOf(json: string): Report {
  const raw = JSON.parse(json) as RawReport;
  return {
    files: raw.testResults.map((file) => ({
      name: file.name,
      status: file.status,
      message: file.message ?? "",
      assertions: file.assertionResults,
    })),
  };
}

/** Enough of a message to know what went wrong when nothing but the end of the output was kept. */
const MESSAGE_LINES = 6;

/** `runnerOk` is whether the test runner itself exited with 0. The complaints explain each failure. */
export function totalsOf(
  report: Report,
  runnerOk: boolean,
): { readonly totals: Totals; readonly complaints: readonly string[] } {
  const complaints: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const file of report.files) {
    const statuses = new Set(file.assertions.map((assertion) => assertion.status));
    if (file.status === "failed" && !statuses.has("failed")) {
      complaints.push(`${file.name} failed outside its tests: ${file.message.split("\n")[0]}`);
      failed += 1;
    }
    for (const assertion of file.assertions) {
      if (assertion.status === "passed") {
        passed += 1;
        continue;
      }
      failed += 1;
      complaints.push(
        assertion.status === "failed"
          ? `${file.name}: ${assertion.fullName}${beginningOf(assertion.failureMessages ?? [])}`
          : `not run (${assertion.status}): ${assertion.fullName}`,
      );
    }
  }
  if (passed + failed === 0) {
    complaints.push("no test was found");
    failed += 1;
  }
  if (!runnerOk && failed === 0) {
    complaints.push("the runner failed although every test passed (an error outside the tests)");
    failed += 1;
  }
  return { totals: { passed, failed }, complaints };
}

function beginningOf(messages: readonly string[]): string {
  return messages
    .join("\n")
    .split("\n")
    .slice(0, MESSAGE_LINES)
    .map((line) => `\n    ${line}`)
    .join("");
}
