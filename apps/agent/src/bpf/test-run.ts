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
import {
  addressOf,
  attributeBlock,
  fixedMemory,
  pointTo,
  tryBpf,
  type Attribute,
} from "./syscall.ts";

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
   * EINVAL and EPROTO for a packet or context that the kernel does not take, ENOTSUPP for programs that decide on sockets,
   * EINTR where a signal ended repeated runs before the last.
   */
  run(packet: Buffer | null, context?: Buffer | null, repeat?: number): TestRunResult;
}

export function testRunOf(program: BpfProgram, options: TestRunOptions = {}): TestRun {
  const { packetBytes = 2048, contextBytes = 256 } = options;
  const attribute = attributeBlock();
  const { buffer } = attribute;
  const packetIn = roomIn(attribute, packetBytes, 8, 16);
  // A program may make a packet longer.
  const packetOut = roomIn(attribute, packetBytes + 256, 12, 24);
  const contextIn = roomIn(attribute, contextBytes, 40, 48);
  const contextOut = roomIn(attribute, contextBytes, 44, 56);
  // Of packets at netfilter hooks the kernel gives nothing back.
  const givesBack = program.info.kind !== "netfilter";

  const give = (from: Buffer | null, into: Room, out: Room): void => {
    if (from !== null && from.length > into.memory.length)
      throw new RangeError(`${from.length} bytes do not fit the ${into.memory.length} prepared`);
    if (from !== null) into.memory.set(from);
    into.use(from === null ? null : from.length);
    out.use(givesBack && from !== null ? out.memory.length : null);
  };
  return {
    packetAfter: () => packetOut.memory.subarray(0, buffer.readUInt32LE(12)),
    contextAfter: () => contextOut.memory.subarray(0, buffer.readUInt32LE(44)),
    run(packet, context = null, repeat = 1) {
      buffer.writeUInt32LE(program.fd, 0);
      give(packet, packetIn, packetOut);
      give(context, contextIn, contextOut);
      buffer.writeUInt32LE(0, 4);
      buffer.writeUInt32LE(repeat, 32);
      const result = tryBpf("testRun", attribute);
      if (result < 0) throw new KernelError("bpf testRun", -result, `program ${program.info.name}`);
      return { returned: buffer.readUInt32LE(4), nanoseconds: buffer.readUInt32LE(36) };
    },
  };
}

interface Room {
  readonly memory: Buffer;
  /** So many bytes of it in the next call; null for none. */
  use(bytes: number | null): void;
}

/** Memory whose size and address stand at these places of the block. */
function roomIn(attribute: Attribute, bytes: number, sizeAt: number, pointerAt: number): Room {
  const memory = fixedMemory(bytes);
  pointTo(attribute, pointerAt, memory);
  const address = addressOf(memory);
  return {
    memory,
    use(used) {
      attribute.buffer.writeUInt32LE(used ?? 0, sizeAt);
      attribute.buffer.writeBigUInt64LE(used === null ? 0n : address, pointerAt);
    },
  };
}
