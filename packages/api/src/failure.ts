/**
 * How a request fails: one body shape with a stable code, the HTTP status each code travels under, and the exit code
 * a command ends with. `ApiFailure` is what the client throws, also for a controller that cannot be reached.
 */
import { z } from "zod";
import type { Diagnostic } from "@bulkhead/model";
import { diagnosticSchema } from "./diagnostics.ts";

/** Every way a request can fail: HTTP status, and the exit code of a command (1 finding, 2 bad input, 3 cannot run here). */
const CODES = {
  "bad-request": { status: 400, exit: 2 },
  "bad-policy": { status: 400, exit: 2 },
  "unknown-workload": { status: 404, exit: 2 },
  "unknown-revision": { status: 404, exit: 2 },
  "unknown-resource": { status: 404, exit: 2 },
  "no-such-route": { status: 404, exit: 2 },
  "nothing-to-confirm": { status: 409, exit: 2 },
  /** Another apply or an unconfirmed change is under way. */
  busy: { status: 409, exit: 2 },
  /**
   * The change would cut an SSH session or break what this machine must be able to do, or did and was taken back; needs
   * `force` and a reason.
   */
  lockout: { status: 409, exit: 2 },
  /** Going back would newly allow what is enforced now: it has to be meant (`opens`), or confirmed in time. */
  opens: { status: 409, exit: 2 },
  "tests-failed": { status: 422, exit: 1 },
  /** The compiled set does not fit; the old one stays. */
  capacity: { status: 422, exit: 2 },
  /** The kernel did not take it, or its receipt is not the desired one; the old state stays. */
  "apply-failed": { status: 502, exit: 3 },
  "agent-away": { status: 503, exit: 3 },
  "store-full": { status: 507, exit: 3 },
  /** The log of revisions does not chain: somebody changed it. */
  "history-broken": { status: 500, exit: 3 },
  internal: { status: 500, exit: 3 },
  /** Who asked may read only; or, said by the client, may not use the socket at all. */
  "no-permission": { status: 403, exit: 3 },
  /** Given by the client only: no controller listens. */
  "not-running": { status: 503, exit: 3 },
  "bad-answer": { status: 502, exit: 3 },
} as const;

export type FailureCode = keyof typeof CODES;

export const failureCodes = Object.keys(CODES) as FailureCode[];

export const failureBodySchema = z.object({
  code: z.enum(failureCodes),
  message: z.string(),
  help: z.string().optional(),
  diagnostics: z.array(diagnosticSchema).default([]),
});
export type FailureBody = z.infer<typeof failureBodySchema>;

export class ApiFailure extends Error {
  readonly code: FailureCode;
  readonly help: string | undefined;
  readonly diagnostics: readonly Diagnostic[];

  constructor(
    code: FailureCode,
    message: string,
    more: {
      readonly help?: string;
      readonly diagnostics?: readonly Diagnostic[];
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = "ApiFailure";
    this.code = code;
    this.help = more.help;
    this.diagnostics = more.diagnostics ?? [];
  }

  get status(): (typeof CODES)[FailureCode]["status"] {
    return CODES[this.code].status;
  }

  get exitCode(): 1 | 2 | 3 {
    return CODES[this.code].exit;
  }

  toBody(): FailureBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.help === undefined ? {} : { help: this.help }),
      diagnostics: [...this.diagnostics],
    };
  }
}
