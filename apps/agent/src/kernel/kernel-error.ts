/**
 * A failed system call, told the way a person reads it: the call, the errno name, and what was being done. Netlink's
 * negative error numbers take the same form, so callers compare `code` and never a number.
 */
import { constants } from "node:os";

const names = new Map<number, string>();
for (const [name, number] of Object.entries(constants.errno)) {
  // EWOULDBLOCK and EAGAIN share a number; the first name in the table wins, except for the customary EAGAIN.
  if (!names.has(number) || name === "EAGAIN") names.set(number, name);
}
// Not in Node's table, and all of them are answers that netlink gives.
names.set(105, "ENOBUFS");
names.set(95, "EOPNOTSUPP");
// The kernel's own, which bpf(2) lets out.
names.set(524, "ENOTSUPP");

/** `ENOENT` for 2; `errno 4711` for numbers without a name. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

export class KernelError extends Error {
  override readonly name = "KernelError";
  readonly errno: number;
  /** The errno's name: `EPERM`. */
  readonly code: string;
  /** The system call or netlink request that failed. */
  readonly call: string;

  constructor(call: string, errno: number, doing?: string) {
    const code = errnoName(errno);
    super(doing === undefined ? `${call}: ${code}` : `${call}: ${code} (${doing})`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** Is this a kernel refusal with one of these names? */
export function isKernelError(error: unknown, ...codes: readonly string[]): error is KernelError {
  return error instanceof KernelError && (codes.length === 0 || codes.includes(error.code));
}
