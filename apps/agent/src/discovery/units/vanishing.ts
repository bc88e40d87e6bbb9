/** Processes and control groups come and go while they are read: that is no error, and nothing is there to tell. */

/** ENODEV, EOPNOTSUPP: of control groups that are being removed, or hold threads only; EINVAL: of descriptors that closed. */
const GONE: ReadonlySet<string> = new Set([
  "ENOENT",
  "ESRCH",
  "ENODEV",
  "EOPNOTSUPP",
  "ENOTSUP",
  "EACCES",
  "EINVAL",
]);

export function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && GONE.has(String(error.code));
}

/** Undefined when what is read has gone meanwhile, or may not be read. */
export function whileItIsThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
