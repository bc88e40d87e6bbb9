/**
 * `bulkhead check DIR`: findings, tests and exposure of a folder, and beside a commit what may talk to what that could not;
 * without DIR of what is in force here.
 * What a change permits is for people to judge; only errors among the findings and tests that fail end it with 1.
 */
import { differenceAnswer, exposureAnswer } from "@bulkhead/workbench/desk";
import { checkFiles, type Checked } from "@bulkhead/workbench/check";
import { withSamples } from "@bulkhead/workbench/impact";
import { refuseLoneFormat } from "../arguments.ts";
import { badInput, type ExitCode } from "../failure.ts";
import { readPolicyFiles } from "../input.ts";
import { readRecorded } from "../offline/recorded.ts";
import { filesAt } from "../offline/base.ts";
import { IN_FORCE } from "../offline/here.ts";
import { exitCodeOf, lintOptions, type FindingOptions } from "../offline/findings.ts";
import { parseLimits } from "../offline/limits.ts";
import { readingOf } from "../offline/open.ts";
import type { CheckAnswer } from "../schemas.ts";
import { checkFormat } from "../views/findings/check.ts";
import { strangersText } from "../views/findings/check-words.ts";
import { replayedOf } from "../views/findings/replayed.ts";
import type { Verb } from "./verb.ts";

export interface CheckOptions extends FindingOptions {
  readonly base?: string;
  readonly flows?: string;
  readonly format?: string;
}

export const check: Verb<CheckOptions> = async (context, [dir], options) => {
  refuseLoneFormat(options);
  const { input } = parseLimits(options.limit ?? []);
  const lint = lintOptions(options);
  if (dir === undefined && options.base !== undefined) {
    throw badInput("`--base` goes with a folder", "bulkhead check policies/ --base main");
  }
  const { files, reading } =
    dir === undefined
      ? await (
          await import("../offline/in-force.ts")
        ).readInForce(context, options, "check policies/", true)
      : { files: await readPolicyFiles(context, [dir], input), reading: {} };
  const base =
    options.base === undefined ? undefined : await filesAt(options.base, [dir ?? ""], input);
  const recorded =
    options.flows === undefined
      ? undefined
      : await readRecorded(context, options.flows, options.format);
  const found = checkFiles({
    files,
    ...(base === undefined ? {} : { base }),
    ...(recorded === undefined ? {} : { edges: recorded.edges }),
    reading: { ...readingOf(context, options, "pod"), ...reading },
    lint,
  });
  const checked =
    found.impact === undefined || recorded === undefined
      ? found
      : { ...found, impact: await withSamples(found.impact, recorded.samples.of) };
  const exitCode = recorded?.isBroken === true ? 2 : exitCodeFor(checked);
  if (checked.strangers !== undefined) {
    const { stderr, ui } = context;
    stderr.write(`${ui.style.yellow("warning:")} ${strangersText(checked.strangers)}\n`);
  }
  return {
    value: answerOf(checked, exitCode),
    text: (ui) =>
      checkFormat(options.output)(
        { ...checked, files, dir: dir ?? IN_FORCE, base: options.base, exitCode },
        ui,
      ),
    next: [],
    exitCode,
  };
};

function exitCodeFor({ desk, findings, tests }: Checked): ExitCode {
  const found = exitCodeOf(desk, findings);
  return found === 0 && tests.some(({ passed }) => !passed) ? 1 : found;
}

function answerOf(checked: Checked, exitCode: ExitCode): CheckAnswer {
  const { findings, tests, exposures, standIns, changes, impact } = checked;
  const failed = tests.filter(({ passed }) => !passed).length;
  return {
    ok: exitCode === 0,
    findings: [...findings],
    tests: { passed: tests.length - failed, failed, tests: [...tests] },
    exposure: {
      exposures: [...exposureAnswer(exposures).exposures],
      unprotected: [...exposures.unprotected],
    },
    representatives: [...standIns],
    ...(changes === undefined ? {} : { changes: changes.map(differenceAnswer) }),
    ...(impact === undefined
      ? {}
      : {
          replay: {
            denied: impact.denied,
            allowed: impact.allowed,
            affected: [...impact.affected],
            newlyDenied: impact.newlyDenied.map((one) => replayedOf(one, "after")),
            newlyAllowed: impact.newlyAllowed.map((one) => replayedOf(one, "before")),
            unchanged: impact.unchanged,
          },
        }),
  };
}
