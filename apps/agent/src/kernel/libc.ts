/**
 * The handful of C library calls that Node does not offer, bound through koffi on first use, so that verbs which never
 * touch the kernel (and systems that are not Linux) never load it. Every wrapper throws `KernelError`, except where
 * the doc comment says that a refusal is an ordinary answer. All calls are synchronous: those that may wait take a time-out.
 */
import { createRequire } from "node:module";
import type koffiModule from "koffi";
import { KernelError } from "./kernel-error.ts";

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
export const SO_ERROR = 4;
export const SO_RCVBUF = 8;
export const SO_PEERCRED = 17;
export const SO_RCVTIMEO = 20;
export const SO_RCVBUFFORCE = 33;
export const SO_MEMINFO = 55;
export const MSG_PEEK = 2;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;
export const POLLNVAL = 32;
export const CLONE_NEWNET = 0x40000000;
export const MS_BIND = 0x1000;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** A stretch of memory outside the garbage-collected heap, for structures that hold addresses of other structures. */
export interface NativeMemory {
  readonly address: bigint;
  readonly buffer: Buffer;
}

export interface PollEntry {
  readonly fd: number;
  readonly events: number;
  revents: number;
}

export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer): void;
  /** True when connected at once, false when in progress (EINPROGRESS on a non-blocking socket). */
  connect(fd: number, address: Buffer): boolean;
  listen(fd: number, backlog: number): void;
  /** The new descriptor, or null when nobody waits (EAGAIN). */
  accept(fd: number, flags: number): number | null;
  getsockname(fd: number, address: Buffer): number;
  setsockopt(fd: number, level: number, option: number, value: Buffer): void;
  /** Number of bytes the kernel wrote into `value`. */
  getsockopt(fd: number, level: number, option: number, value: Buffer): number;
  sendto(fd: number, data: Buffer, flags: number, address: Buffer | null): number;
  /** Bytes received, or null when nothing waits (EAGAIN, also after SO_RCVTIMEO). `from`, when given, receives the peer's address. */
  recvfrom(fd: number, data: Buffer, flags: number, from?: Buffer): number | null;
  /** Messages received (0 when nothing waits); the array of `mmsghdr` lies at `messages`. */
  recvmmsg(fd: number, messages: bigint, count: number, flags: number): number;
  /** Messages sent of the `mmsghdr` array at `messages`. */
  sendmmsg(fd: number, messages: bigint, count: number, flags: number): number;
  /** Number of entries with events; their `revents` are filled in. EINTR counts as none. */
  poll(entries: readonly PollEntry[], timeoutMs: number): number;
  setns(fd: number, kind: number): void;
  /** Moves the calling thread into a new namespace of that kind. */
  unshare(kind: number): void;
  /** Without `type` it binds one folder upon another. `options` are the file system's own: `mode=0700`. */
  mount(source: string, target: string, flags: number, type?: string, options?: string): void;
  umount(target: string, flags: number): void;
  close(fd: number): void;
  /** Another descriptor of the same file, closed on exec. */
  duplicate(fd: number): number;
  /** Zeroed anonymous memory, rounded up to whole pages; lives until `unmap`. */
  map(bytes: number): NativeMemory;
  /** Memory shared with a descriptor (the kernel's side of a ring, say); lives until `unmap`. */
  mapShared(fd: number, bytes: number, offset: number, writable: boolean): NativeMemory;
  unmap(memory: NativeMemory): void;
}

let loaded: Libc | undefined;

/** The foreign function interface itself, for bindings of other libraries. */
export function koffi(): typeof koffiModule {
  if (process.platform !== "linux")
    throw new Error(`system calls of Linux are needed; this is ${process.platform}`);
  return createRequire(import.meta.url)("koffi") as typeof koffiModule;
}

/** Calls back on the event loop whenever the descriptor has something to read, without keeping the process alive. */
export function watchReadable(fd: number, ready: () => void): { close(): void } {
  const handle = koffi().node.poll(fd, { readable: true }, ready);
  handle.unref();
  return { close: () => handle.close() };
}

/** The bindings, loaded once per thread. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

const F_DUPFD_CLOEXEC = 1030;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const EINTR = 4;
const EAGAIN = 11;
const EINPROGRESS = 115;

function load(): Libc {
  const ffi = koffi();
  const lib = ffi.load("libc.so.6");
  const socket = lib.func("int socket(int, int, int)");
  const bind = lib.func("int bind(int, const void *, uint32_t)");
  const connect = lib.func("int connect(int, const void *, uint32_t)");
  const listen = lib.func("int listen(int, int)");
  const accept4 = lib.func("int accept4(int, void *, void *, int)");
  const getsockname = lib.func("int getsockname(int, void *, void *)");
  const setsockopt = lib.func("int setsockopt(int, int, int, const void *, uint32_t)");
  const getsockopt = lib.func("int getsockopt(int, int, int, void *, void *)");
  const sendto = lib.func("int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)");
  const recvfrom = lib.func("int64_t recvfrom(int, void *, size_t, int, void *, void *)");
  const recvmmsg = lib.func("int recvmmsg(int, void *, uint32_t, int, void *)");
  const sendmmsg = lib.func("int sendmmsg(int, void *, uint32_t, int)");
  const poll = lib.func("int poll(void *, uint64_t, int)");
  const setns = lib.func("int setns(int, int)");
  const unshare = lib.func("int unshare(int)");
  const mount = lib.func(
    "int mount(const char *, const char *, const char *, uint64_t, const char *)",
  );
  const umount2 = lib.func("int umount2(const char *, int)");
  const close = lib.func("int close(int)");
  const fcntl = lib.func("int fcntl(int, int, int)");
  const mmap = lib.func("void *mmap(void *, size_t, int, int, int, int64_t)");
  const munmap = lib.func("int munmap(void *, size_t)");

  const check = (call: string, result: number): number => {
    if (result < 0) throw new KernelError(call, ffi.errno());
    return result;
  };
  const mapped = (
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): NativeMemory => {
    const address = mmap(null, bytes, protection, flags, fd, offset) as bigint | null;
    if (address === null || BigInt.asIntN(64, address) === -1n)
      throw new KernelError("mmap", ffi.errno());
    return { address, buffer: Buffer.from(ffi.view(address, bytes)) };
  };
  const length = Buffer.alloc(4);
  let pollBuffer = Buffer.alloc(8 * 16);

  return {
    socket: (domain, type, protocol) => check("socket", socket(domain, type, protocol)),
    bind: (fd, address) => void check("bind", bind(fd, address, address.length)),
    connect(fd, address) {
      if (connect(fd, address, address.length) === 0) return true;
      const errno = ffi.errno();
      if (errno === EINPROGRESS) return false;
      throw new KernelError("connect", errno);
    },
    listen: (fd, backlog) => void check("listen", listen(fd, backlog)),
    accept(fd, flags) {
      const result = accept4(fd, null, null, flags) as number;
      if (result >= 0) return result;
      const errno = ffi.errno();
      if (errno === EAGAIN || errno === EINTR) return null;
      throw new KernelError("accept", errno);
    },
    getsockname(fd, address) {
      length.writeUInt32LE(address.length);
      check("getsockname", getsockname(fd, address, length));
      return length.readUInt32LE();
    },
    setsockopt: (fd, level, option, value) =>
      void check("setsockopt", setsockopt(fd, level, option, value, value.length)),
    getsockopt(fd, level, option, value) {
      length.writeUInt32LE(value.length);
      check("getsockopt", getsockopt(fd, level, option, value, length));
      return length.readUInt32LE();
    },
    sendto: (fd, data, flags, address) =>
      check("sendto", Number(sendto(fd, data, data.length, flags, address, address?.length ?? 0))),
    recvfrom(fd, data, flags, from) {
      let result: number;
      if (from === undefined) result = Number(recvfrom(fd, data, data.length, flags, null, null));
      else {
        length.writeUInt32LE(from.length);
        result = Number(recvfrom(fd, data, data.length, flags, from, length));
      }
      if (result >= 0) return result;
      const errno = ffi.errno();
      if (errno === EAGAIN || errno === EINTR) return null;
      throw new KernelError("recvfrom", errno);
    },
    recvmmsg(fd, messages, count, flags) {
      const result = recvmmsg(fd, messages, count, flags, null) as number;
      if (result >= 0) return result;
      const errno = ffi.errno();
      if (errno === EAGAIN || errno === EINTR) return 0;
      throw new KernelError("recvmmsg", errno);
    },
    sendmmsg: (fd, messages, count, flags) =>
      check("sendmmsg", sendmmsg(fd, messages, count, flags)),
    poll(entries, timeoutMs) {
      const size = entries.length * 8;
      if (pollBuffer.length < size) pollBuffer = Buffer.alloc(size);
      entries.forEach((entry, index) => {
        pollBuffer.writeInt32LE(entry.fd, index * 8);
        pollBuffer.writeInt16LE(entry.events, index * 8 + 4);
        pollBuffer.writeInt16LE(0, index * 8 + 6);
      });
      const result = poll(pollBuffer, entries.length, timeoutMs) as number;
      if (result < 0) {
        const errno = ffi.errno();
        if (errno !== EINTR) throw new KernelError("poll", errno);
      }
      entries.forEach((entry, index) => {
        entry.revents = result > 0 ? pollBuffer.readInt16LE(index * 8 + 6) : 0;
      });
      return Math.max(result, 0);
    },
    setns: (fd, kind) => void check("setns", setns(fd, kind)),
    unshare: (kind) => void check("unshare", unshare(kind)),
    mount: (source, target, flags, type, options) =>
      void check("mount", mount(source, target, type ?? null, flags, options ?? null)),
    umount: (target, flags) => void check("umount2", umount2(target, flags)),
    close: (fd) => void check("close", close(fd)),
    duplicate: (fd) => check("fcntl", fcntl(fd, F_DUPFD_CLOEXEC, 3)),
    map: (bytes) =>
      mapped(Math.ceil(bytes / 4096) * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0),
    mapShared: (fd, bytes, offset, writable) =>
      mapped(bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, offset),
    unmap: (memory) => void check("munmap", munmap(memory.address, memory.buffer.length)),
  };
}
