/** What nft complains of, as a refusal of the driver. */
import { DriverError } from "../driver-error.ts";

/** The kernel's ways to say "full": ENFILE for a set's size, ENOMEM, ENOBUFS, ENOSPC. */
const FULL =
  /Too many open files in system|Cannot allocate memory|No buffer space available|No space left on device|Message too long|File too large/;

/** nft's complaint as an error; long ones are cut, the first line says what matters. */
export const fromNft = (stderr: string): DriverError => {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /Error|error|denied|permitted|not /.test(line))
    .map((line) => line.slice(0, 200));
  const first = lines.slice(0, 3);
  if (FULL.test(stderr))
    return new DriverError(
      "does-not-fit",
      "the kernel has no room for the ruleset; the old one stays",
      first,
    );
  if (/Operation not permitted|Permission denied/.test(stderr))
    return new DriverError("unsupported", "changing the ruleset needs root (CAP_NET_ADMIN)", first);
  return new DriverError(
    "refused",
    "the kernel refused the ruleset; the old one stays",
    first.length > 0 ? first : [stderr.slice(0, 200)],
  );
};
