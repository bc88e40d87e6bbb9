/** How a verb ends otherwise than well: a message, help, and one of the exit codes every verb shares. */

/** 0 success, allowed, nothing found · 1 denied, difference, finding · 2 bad input · 3 cannot run here · 130 Ctrl-C. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

export class CliFailure extends Error {
  readonly exitCode: ExitCode;
  readonly help: string | undefined;

  constructor(exitCode: ExitCode, message: string, help?: string) {
    super(message);
    this.name = "CliFailure";
    this.exitCode = exitCode;
    this.help = help;
  }
}

export const badInput = (message: string, help?: string): CliFailure =>
  new CliFailure(2, message, help);

export const cannotRun = (message: string, help?: string): CliFailure =>
  new CliFailure(3, message, help);

/** Ctrl-C before the answer came. `aftermath` says what goes on without this process, and how to undo it. */
export class Interrupted extends CliFailure {
  constructor(aftermath?: string) {
    super(130, "interrupted", aftermath);
    this.name = "Interrupted";
  }
}
