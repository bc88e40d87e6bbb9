/**
 * `bulkhead test DIR`: every PolicyTest of a folder, or without DIR of what is in force here, with its place, and 1 as soon as one of them fails. Nothing to test is
 * bad input: a pipeline with the wrong folder in it would be green for ever.
 */
import { testDesk, type Desk } from "@bulkhead/workbench/desk";
import { badInput } from "../failure.ts";
import { IN_FORCE } from "../offline/here.ts";
import { openDeskOrHere } from "../offline/open.ts";
import type { OfflineOptions } from "../offline/options.ts";
import { junitText, testsText, type TestsAnswer } from "../views/tests.ts";
import type { Verb } from "./verb.ts";

export interface TestOptions extends OfflineOptions {
  readonly allowEmpty?: boolean;
}

export const test: Verb<TestOptions> = async (context, args, options) => {
  const { desk, exitCode } = await openDeskOrHere(context, args, options, "test policies/");
  const tests = testDesk(desk, context.now());
  const isWhole = exitCode(0) === 0;
  const nothing = nothingIn(desk, args[0], isWhole);
  if (tests.length === 0 && isWhole && options.allowEmpty !== true) {
    throw badInput(
      `${nothing}: nothing was tested`,
      "`--allow-empty` where that is as it should be",
    );
  }
  const failed = tests.filter(({ passed }) => !passed).length;
  const answer: TestsAnswer = { passed: tests.length - failed, failed, tests };
  return {
    value: answer,
    text: (ui) => (options.output === "junit" ? junitText(answer) : testsText(answer, nothing, ui)),
    next: [],
    exitCode: exitCode(failed > 0 ? 1 : 0),
  };
};

function nothingIn({ resources }: Desk, dir: string | undefined, isWhole: boolean): string {
  if (!isWhole) return `not all of ${dir === undefined ? IN_FORCE : `\`${dir}\``} could be read`;
  const some = resources.some(
    ({ dialect, object }) => dialect === "native" && object.kind === "PolicyTest",
  );
  const where = dir === undefined ? "in force" : `in \`${dir}\``;
  return `no PolicyTest ${where}${some ? " has a test in it" : ""}`;
}
