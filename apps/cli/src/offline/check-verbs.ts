/** The verbs that find what is wrong with a folder of policies, for people at a terminal and for a pull request. */
import { collect, once } from "../arguments.ts";
import { FINDING_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";

export function addCheckVerbs(verb: AddVerb): void {
  withOfflineOptions(
    verb(
      "check [dir]",
      "lint, tests and exposure of a folder, or of what is in force; with --base what changes",
      "bulkhead check policies/\nbulkhead check policies/ --base origin/main -o md >> $GITHUB_STEP_SUMMARY\nbulkhead check policies/ --base main --flows hubble.jsonl",
      async () => (await import("../verbs/check.ts")).check,
      FINDING_FORMATS,
    )
      .option("--base <ref>", "compare with the folder at this commit, branch or tag of git's")
      .option(
        "--flows <file>",
        "replay recorded flows of any format, - for standard input",
        once("--flows"),
      )
      .option("--format <name>", "of that file, where its beginning does not tell")
      .option("--strict", "warnings count as errors")
      .option("--disable <codes>", "findings that are not wanted: BH0705", collect),
  );
  withOfflineOptions(
    verb(
      "lint [files...]",
      "what is needless, misleading or missing in policies, or in what is in force; exit 1 for errors",
      "bulkhead lint policies/\nbulkhead lint\nbulkhead lint policies/ --strict --disable BH0705,BH0721\nbulkhead lint policies/ -o sarif > lint.sarif\nbulkhead lint policies/ --fix --dry-run",
      async () => (await import("../verbs/lint.ts")).lint,
      FINDING_FORMATS,
    )
      .option(
        "--fix",
        "write files plainer where no decision changes, and allow DNS that is missing; proved first",
      )
      .option("--dry-run", "with --fix: print what would change, and change nothing")
      .option("--strict", "warnings count as errors")
      .option("--disable <codes>", "findings that are not wanted: BH0705", collect),
  );
  withOfflineOptions(
    verb(
      "labels <task> [files...]",
      "lint: labels that do not say what they should, in a folder or of everybody here",
      "bulkhead labels lint inventory.yaml\nbulkhead labels lint\nbulkhead labels lint policies/ --flows hubble.jsonl -o sarif > labels.sarif\nbulkhead labels lint inventory.yaml --fix --dry-run",
      async () => (await import("../verbs/labels.ts")).labels,
      FINDING_FORMATS,
    )
      .option(
        "--flows <file>",
        "what they were seen to do: recorded flows, - for standard input",
        once("--flows"),
      )
      .option("--format <name>", "of that file, where its beginning does not tell")
      .option("--fix", "mend misspelt and missing labels where an Inventory declares them")
      .option("--dry-run", "with --fix: print what would change, and change nothing")
      .option("--strict", "warnings count as errors")
      .option("--disable <codes>", "findings that are not wanted: BH0741", collect),
  );
}
