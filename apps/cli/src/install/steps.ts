/** A change of several steps that happens whole or not at all: what was done is undone, in reverse, when a later step fails. */
import { cannotRun, CliFailure } from "../failure.ts";

export interface Step {
  /** What it does, for whoever asks first (`--dry-run`). */
  readonly what: string;
  run(): void | Promise<void>;
  /** Also called for a step that failed half way. */
  undo?(): void | Promise<void>;
}

export async function runSteps(steps: readonly Step[]): Promise<void> {
  const begun: Step[] = [];
  for (const step of steps) {
    begun.unshift(step);
    try {
      await step.run();
    } catch (error) {
      const left = await undo(begun);
      const reason = error instanceof Error ? error.message : String(error);
      const help = error instanceof CliFailure ? error.help : undefined;
      const now =
        left.length === 0
          ? "everything is as it was before"
          : `not everything could be undone:\n${left.join("\n")}`;
      throw cannotRun(
        `could not ${step.what}: ${reason}`,
        help === undefined ? now : `${now}\n${help}`,
      );
    }
  }
}

/** What could not be undone, and why. */
async function undo(steps: readonly Step[]): Promise<readonly string[]> {
  const left: string[] = [];
  for (const step of steps) {
    try {
      await step.undo?.();
    } catch (error) {
      left.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return left;
}
