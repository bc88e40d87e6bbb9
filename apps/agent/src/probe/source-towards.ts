/** Which of its addresses the machine speaks from to another one: what the kernel says when a socket is connected to it. Sends nothing. */
import { formatIp, type IpAddress } from "@bulkhead/model";
import { isKernelError } from "../kernel/kernel-error.ts";
import { libc, SOCK_CLOEXEC, SOCK_DGRAM } from "../kernel/libc.ts";
import { domainOf, familyOf, socketAddress } from "./socket-address.ts";

/** Any but 0. */
const SOME_PORT = 9;

/** Undefined where there is no way. */
export function sourceTowards(destination: IpAddress): IpAddress | undefined {
  const family = familyOf(destination);
  const fd = libc().socket(domainOf(family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    libc().connect(fd, socketAddress(destination, SOME_PORT));
    const own = Buffer.alloc(28);
    libc().getsockname(fd, own);
    const bytes = family === 4 ? own.subarray(4, 8) : own.subarray(8, 24);
    return formatIp(family, BigInt(`0x${bytes.toString("hex")}`));
  } catch (error) {
    if (isKernelError(error, "ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL")) return undefined;
    throw error;
  } finally {
    libc().close(fd);
  }
}
