/** `bulkhead test DIR`: every PolicyTest of a folder with its place, and 1 as soon as one of them fails. */
import { testDesk } from "@bulkhead/workbench/desk";
import { openDeskOf } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { junitText, testsText, type TestsAnswer } from "../views/tests.ts";
import type { Verb } from "./verb.ts";

export const test: Verb<OfflineOptions> = async (context, [dir = ""], options) => {
  const { desk, exitCode } = await openDeskOf(context, [dir], options);
  const tests = testDesk(desk, context.now());
  const failed = tests.filter(({ passed }) => !passed).length;
  const answer: TestsAnswer = { passed: tests.length - failed, failed, tests };
  return {
    value: answer,
    text: (ui) => (options.output === "junit" ? junitText(answer) : testsText(answer, dir, ui)),
    next: [],
    exitCode: exitCode(failed > 0 ? 1 : 0),
  };
};
