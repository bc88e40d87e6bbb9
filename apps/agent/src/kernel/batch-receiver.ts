/**
 * Receives many datagrams in one system call (`recvmmsg`) into memory that is laid out once: an array of `mmsghdr`,
 * one `iovec` and one slot each. Nothing is allocated per datagram; the slots are overwritten by the next call.
 */
import { isKernelError } from "./kernel-error.ts";
import { libc, MSG_DONTWAIT, MSG_TRUNC, type NativeMemory } from "./libc.ts";

const MMSGHDR = 64;
const IOVEC = 16;
const OFFSET_IOV = 16;
const OFFSET_IOVLEN = 24;
const OFFSET_FLAGS = 48;
const OFFSET_LENGTH = 56;

export interface BatchReceiver {
  /** All slots' memory; slot `i` starts at `i * slotBytes`. */
  readonly data: Buffer;
  readonly slotBytes: number;
  /**
   * Takes what waits, without blocking: the number of datagrams, 0 when none waits, -1 when the kernel reports that it
   * had to drop some (ENOBUFS); the socket goes on working after that.
   */
  receive(fd: number): number;
  /** Length of the datagram in slot `index` after the last `receive`; -1 when it did not fit the slot. */
  length(index: number): number;
  free(): void;
}

export function createBatchReceiver(slots: number, slotBytes: number): BatchReceiver {
  const c = libc();
  const headers: NativeMemory = c.map(slots * (MMSGHDR + IOVEC));
  const memory: NativeMemory = c.map(slots * slotBytes);
  const h = headers.buffer;
  for (let slot = 0; slot < slots; slot++) {
    const iovec = slots * MMSGHDR + slot * IOVEC;
    h.writeBigUInt64LE(memory.address + BigInt(slot * slotBytes), iovec);
    h.writeBigUInt64LE(BigInt(slotBytes), iovec + 8);
    h.writeBigUInt64LE(headers.address + BigInt(iovec), slot * MMSGHDR + OFFSET_IOV);
    h.writeBigUInt64LE(1n, slot * MMSGHDR + OFFSET_IOVLEN);
  }
  return {
    data: memory.buffer,
    slotBytes,
    receive(fd) {
      try {
        return c.recvmmsg(fd, headers.address, slots, MSG_DONTWAIT);
      } catch (error) {
        if (isKernelError(error, "ENOBUFS")) return -1;
        throw error;
      }
    },
    length(index) {
      const base = index * MMSGHDR;
      if ((h.readUInt32LE(base + OFFSET_FLAGS) & MSG_TRUNC) !== 0) return -1;
      return h.readUInt32LE(base + OFFSET_LENGTH);
    },
    free() {
      c.unmap(headers);
      c.unmap(memory);
    },
  };
}
