/**
 * Runs a program on a packet of one's own (BPF_PROG_TEST_RUN): what it decides, what it makes of the packet, and how long it
 * takes, without any traffic. The memory is laid out once, so that millions of packets can be tried.
 */
import { KernelError } from "../kernel/index.ts";
import {
  NETFILTER_FAMILY,
  NETFILTER_HOOK,
  type NetfilterFamily,
  type NetfilterHook,
} from "./link.ts";
import type { BpfProgram } from "./program.ts";
import { attributeBlock, fixedBuffer, tryBpf } from "./syscall.ts";

export interface TestRunOptions {
  /** The largest packet that will be given; the kernel takes no fewer than 14 bytes, and no more than a page less some hundred. */
  readonly packetBytes?: number;
  /** The largest context: `struct __sk_buff`, `struct nf_hook_state`, … */
  readonly contextBytes?: number;
}

/** `struct nf_hook_state` as a test run takes it: where the packet is, without devices. */
export function hookContext(family: NetfilterFamily, hook: NetfilterHook): Buffer {
  const context = Buffer.alloc(HOOK_STATE_BYTES);
  context.writeUInt8(NETFILTER_HOOK[hook], 0);
  context.writeUInt8(NETFILTER_FAMILY[family], 1);
  return context;
}

const HOOK_STATE_BYTES = 48;

export interface TestRunResult {
  /** What the program returned. */
  readonly returned: number;
  /** Mean of the repetitions. */
  readonly nanoseconds: number;
}

export interface TestRun {
  /** The packet as the program left it, as far as there was room; valid until the next run. */
  readonly packetAfter: () => Buffer;
  readonly contextAfter: () => Buffer;
  /**
   * Packets begin with their Ethernet header, also for control groups, whose programs see what follows it; except at the
   * output hook of netfilter. A netfilter program is at ipv4 output unless `hookContext` says otherwise. Throws `KernelError`:
   * EINVAL and EPROTO for a packet or context that the kernel does not take, ENOTSUPP for programs that decide on sockets.
   */
  run(packet: Buffer | null, context?: Buffer | null, repeat?: number): TestRunResult;
}

export function testRunOf(program: BpfProgram, options: TestRunOptions = {}): TestRun {
  const { packetBytes = 2048, contextBytes = 256 } = options;
  const packetIn = fixedBuffer(packetBytes);
  // A program may make a packet longer.
  const packetOut = fixedBuffer(packetBytes + 256);
  const contextIn = fixedBuffer(contextBytes);
  const contextOut = fixedBuffer(contextBytes);
  const attribute = attributeBlock();
  const { buffer } = attribute;
  buffer.writeUInt32LE(program.fd, 0);
  // Of packets at netfilter hooks the kernel gives nothing back.
  const packetBack = program.info.kind !== "netfilter";

  const give = (
    from: Buffer | null,
    to: { readonly buffer: Buffer; readonly address: bigint },
    size: number,
    pointer: number,
  ): void => {
    if (from !== null && from.length > to.buffer.length)
      throw new RangeError(`${from.length} bytes do not fit the ${to.buffer.length} prepared`);
    if (from !== null) to.buffer.set(from);
    buffer.writeUInt32LE(from?.length ?? 0, size);
    buffer.writeBigUInt64LE(from === null ? 0n : to.address, pointer);
  };
  return {
    packetAfter: () => packetOut.buffer.subarray(0, buffer.readUInt32LE(12)),
    contextAfter: () => contextOut.buffer.subarray(0, buffer.readUInt32LE(44)),
    run(packet, context = null, repeat = 1) {
      give(packet, packetIn, 8, 16);
      give(context, contextIn, 40, 48);
      const back = packetBack && packet !== null;
      buffer.writeUInt32LE(back ? packetOut.buffer.length : 0, 12);
      buffer.writeBigUInt64LE(back ? packetOut.address : 0n, 24);
      const contextBack = packetBack && context !== null;
      buffer.writeUInt32LE(contextBack ? contextOut.buffer.length : 0, 44);
      buffer.writeBigUInt64LE(contextBack ? contextOut.address : 0n, 56);
      buffer.writeUInt32LE(0, 4);
      buffer.writeUInt32LE(repeat, 32);
      const result = tryBpf("testRun", attribute);
      if (result < 0) throw new KernelError("bpf testRun", -result, `program ${program.info.name}`);
      return { returned: buffer.readUInt32LE(4), nanoseconds: buffer.readUInt32LE(36) };
    },
  };
}
