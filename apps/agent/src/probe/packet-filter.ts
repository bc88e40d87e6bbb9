/**
 * A classic BPF program for packet sockets that lets through only what can be the first packet of a probe: short IP packets,
 * and of TCP only those with SYN and without ACK. It keeps a busy host's traffic out of the witness's buffer.
 */
import { libc, SOL_SOCKET } from "../kernel/libc.ts";

const SO_ATTACH_FILTER = 26;
/** The longest packet a probe sends is well below. */
const LONGEST = 256;
const TCP = 6;

// Opcodes of linux/bpf_common.h, spelled as bpf_asm does.
const LD_LEN = 0x80;
const LD_BYTE = 0x30;
const LD_BYTE_X = 0x50;
const LDX_HEADER = 0xb1;
const RSH = 0x74;
const AND = 0x54;
const JEQ = 0x15;
const JGT = 0x25;
const RET = 0x06;

type Instruction = readonly [code: number, k: number, jt?: number, jf?: number];

const ACCEPT = 0xffff;
const SYN_ACK = 0x12;
const SYN = 0x02;

// Jumps count the instructions to skip. The packet starts at its IP header (SOCK_DGRAM).
const PROGRAM: readonly Instruction[] = [
  /*  0 */ [LD_LEN, 0],
  /*  1 */ [JGT, LONGEST, 17, 0], // → drop
  /*  2 */ [LD_BYTE, 0],
  /*  3 */ [RSH, 4],
  /*  4 */ [JEQ, 6, 7, 0], // → 12
  /*  5 */ [JEQ, 4, 0, 13], // else drop
  /*  6 */ [LD_BYTE, 9],
  /*  7 */ [JEQ, TCP, 0, 10], // else accept
  /*  8 */ [LDX_HEADER, 0],
  /*  9 */ [LD_BYTE_X, 13],
  /* 10 */ [AND, SYN_ACK],
  /* 11 */ [JEQ, SYN, 6, 7],
  /* 12 */ [LD_BYTE, 6],
  /* 13 */ [JEQ, TCP, 0, 4], // else accept
  /* 14 */ [LD_BYTE, 53],
  /* 15 */ [AND, SYN_ACK],
  /* 16 */ [JEQ, SYN, 1, 2],
  /* 17 */ [RET, 0],
  /* 18 */ [RET, ACCEPT],
  /* 19 */ [RET, 0],
];

export function attachProbeFilter(fd: number): void {
  const memory = libc().map(PROGRAM.length * 8);
  try {
    PROGRAM.forEach(([code, k, jt = 0, jf = 0], index) => {
      memory.buffer.writeUInt16LE(code, index * 8);
      memory.buffer.writeUInt8(jt, index * 8 + 2);
      memory.buffer.writeUInt8(jf, index * 8 + 3);
      memory.buffer.writeUInt32LE(k, index * 8 + 4);
    });
    // struct sock_fprog: count, padding, address.
    const program = Buffer.alloc(16);
    program.writeUInt16LE(PROGRAM.length, 0);
    program.writeBigUInt64LE(memory.address, 8);
    libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
  } finally {
    // The kernel has its own copy.
    libc().unmap(memory);
  }
}
