/**
 * Why the driver refused, in words for people. Whatever the reason, the kernel holds what it held before.
 */
export type DriverErrorReason =
  /** The policy itself cannot be rendered. */
  | "invalid-policy"
  /** More entries than the limits or the kernel allow. */
  | "does-not-fit"
  /** What the kernel holds belongs to another agent. */
  | "owned-by-another"
  /** The kernel, or what it is told by, lacks something. */
  | "unsupported"
  /** The kernel refused, for a reason of its own. */
  | "refused";

export class DriverError extends Error {
  readonly reason: DriverErrorReason;
  readonly details: readonly string[];

  constructor(reason: DriverErrorReason, message: string, details: readonly string[] = []) {
    super(details.length === 0 ? message : `${message}: ${details.slice(0, 5).join("; ")}`);
    this.name = "DriverError";
    this.reason = reason;
    this.details = details;
  }
}

export const isRefused = (error: unknown): boolean =>
  error instanceof DriverError && error.reason === "refused";
