/**
 * A descriptor that is closed once. Used after that it would be another object's by then: here it is an error instead.
 */
import { closeFd } from "./syscall.ts";

export interface OwnedFd {
  /** Throws once it is closed. */
  readonly fd: number;
  /** Once more is nothing to do. */
  close(): void;
}

/** `what`: as the error names it. */
export function ownedFd(fd: number, what: string): OwnedFd {
  let closed = false;
  return {
    get fd() {
      if (closed) throw new Error(`${what} was closed`);
      return fd;
    },
    close() {
      if (closed) return;
      closed = true;
      closeFd(fd);
    },
  };
}
