/**
 * The order of test files: those that take longest begin, so that none of them is alone at the end. Vitest does so by itself
 * where it has run before; in a fresh clone it knows only how large a file is.
 */
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Longest first; what is not named here comes after. */
export const LONGEST: readonly string[] = [
  "test/machine/package.kernel.test.ts",
  "apps/controller/test/bad-luck.kernel.test.ts",
  "test/machine/services.kernel.test.ts",
  "apps/cli/test/up-down.kernel.test.ts",
  "apps/controller/test/loop.kernel.test.ts",
  "apps/controller/test/invariants.kernel.test.ts",
  "test/machine/tarball.kernel.test.ts",
  "test/takeover.kernel.test.ts",
  "apps/agent/test/drivers/laws.kernel.test.ts",
  "test/security/attachment.kernel.test.ts",
  "apps/controller/test/boot.kernel.test.ts",
  "apps/controller/test/deadline.kernel.test.ts",
  "scripts/package/test/upgrade.kernel.test.ts",
  "test/security/self-description.kernel.test.ts",
  "apps/controller/test/restart.kernel.test.ts",
  "apps/agent/test/drivers/round-trip.kernel.test.ts",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    const group = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer's, not an array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => group(a) - group(b) || rank(a) - rank(b));
  }
}
