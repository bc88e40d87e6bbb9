/** The judgement of `bpf/judge.bpf.c` in the kernel: maps filled by plans, and flows asked about many at a time. */
import { readFileSync } from "node:fs";
import { MAP_NAMES, splitDecision, NO_DECISION } from "@bulkhead/datapath";
import type { Clocks, EbpfChange, EbpfMapId, EbpfRegistry } from "@bulkhead/datapath";
import { familyOf, parseIp } from "@bulkhead/model";
import type { Cookie, DecisionVerdict, FlowQuery } from "@bulkhead/model";
import { loadObject, testRunOf } from "../../src/bpf/index.ts";
import type { BpfObject } from "../../src/bpf/index.ts";
import { libc } from "../../src/kernel/index.ts";

const QUESTION = 80;
/** Questions that fit at once. */
export const AT_ONCE = 4096;

export interface Answer {
  readonly verdict: DecisionVerdict;
  readonly egress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
  readonly ingress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
  readonly auditEgress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
  readonly auditIngress?: { readonly verdict: DecisionVerdict; readonly cookie: Cookie };
}

/** What `bpf_ktime_get_boot_ns` says, to a hundredth of a second. */
const bootNanoseconds = (): bigint => {
  const seconds = readFileSync("/proc/uptime", "latin1").split(" ")[0] ?? "";
  return BigInt(Math.round(Number(seconds) * 100)) * 10_000_000n;
};

const VERDICTS = ["allow", "drop", "reject"] as const;

const putAddress = (to: Buffer, at: number, address: string): void => {
  const parsed = parseIp(address)!;
  if (parsed.family === 4) to.writeUInt32BE(Number(parsed.value), at);
  else {
    to.writeBigUInt64BE(parsed.value >> 64n, at);
    to.writeBigUInt64BE(parsed.value & 0xffffffffffffffffn, at + 8);
  }
};

export interface Question extends FlowQuery {
  /** The machine itself is certainly the sender. */
  readonly fromMachine: boolean;
}

export interface Judge {
  readonly object: BpfObject;
  write(change: EbpfChange): void;
  storeEpoch(epoch: number): void;
  /** The kernel's clock and the wall's. */
  clocks(): Clocks;
  ask(questions: readonly Question[], registry: EbpfRegistry): Answer[];
  /** Leaves questions to be answered again and again; at most `AT_ONCE`. */
  put(questions: readonly Question[]): void;
  /** Answers what was put; the kernel's nanoseconds for all of it. */
  run(count: number, withShadow?: boolean): number;
  close(): void;
}

export const openJudge = (file: string, sizes: Partial<Record<EbpfMapId, number>> = {}): Judge => {
  const maps = Object.fromEntries(
    Object.entries(sizes).map(([id, maxEntries]) => [MAP_NAMES[id as EbpfMapId], { maxEntries }]),
  );
  const object: BpfObject = loadObject({ file, maps });
  const program = object.program("bh_judge");
  const room = libc().mapShared(object.map("bh_questions").fd, AT_ONCE * QUESTION, 0, true);
  const run = testRunOf(program, { packetBytes: 64 });
  const packet = Buffer.alloc(64);

  const write = ({ map, key, value }: EbpfChange): void => {
    const target = object.map(MAP_NAMES[map]);
    const at = Buffer.from(key);
    if (value !== null) target.update(at, Buffer.from(value));
    else if (map === "rows") target.update(at, Buffer.alloc(target.valueBytes));
    else target.delete(at);
  };

  const put = (questions: readonly Question[]): void => {
    const { buffer } = room;
    buffer.fill(0, 0, questions.length * QUESTION);
    questions.forEach((one, index) => {
      const at = index * QUESTION;
      const addressed = one.addressed ?? one;
      buffer.writeUInt16LE(familyOf(one.source), at);
      buffer.writeUInt16LE(one.port, at + 2);
      buffer.writeUInt8(one.protocol, at + 4);
      buffer.writeUInt8(one.fromMachine ? 1 : 0, at + 5);
      buffer.writeUInt16LE(addressed.port, at + 6);
      putAddress(buffer, at + 8, one.source);
      putAddress(buffer, at + 24, one.destination);
      putAddress(buffer, at + 40, addressed.destination);
    });
  };

  const runAll = (count: number, withShadow = false): number => {
    packet.writeUInt32LE(count, 14);
    packet.writeUInt32LE(withShadow ? 1 : 0, 18);
    const { returned, nanoseconds } = run.run(packet);
    if (returned !== count) throw new Error(`${returned} of ${count} answered`);
    return nanoseconds;
  };

  const ask = (questions: readonly Question[], registry: EbpfRegistry): Answer[] => {
    const cookies = new Map([...registry.decisions.entries()].map(([cookie, n]) => [n, cookie]));
    const told = (ref: number) => {
      if (ref === NO_DECISION) return undefined;
      const { verdict, number } = splitDecision(ref);
      return { verdict, cookie: cookies.get(number) ?? `number ${number}` };
    };
    const found: Answer[] = [];
    for (let from = 0; from < questions.length; from += AT_ONCE) {
      const some = questions.slice(from, from + AT_ONCE);
      put(some);
      runAll(some.length, true);
      some.forEach((_, index) => {
        const at = index * QUESTION + 56;
        const [egress, ingress, auditEgress, auditIngress] = [0, 4, 8, 12].map((offset) =>
          told(room.buffer.readUInt32LE(at + offset)),
        );
        found.push({
          verdict: VERDICTS[room.buffer.readUInt32LE(at + 16)]!,
          ...(egress && { egress }),
          ...(ingress && { ingress }),
          ...(auditEgress && { auditEgress }),
          ...(auditIngress && { auditIngress }),
        });
      });
    }
    return found;
  };
  return {
    object,
    write,
    storeEpoch: (epoch: number) => {
      const value = Buffer.alloc(4);
      value.writeUInt32LE(epoch);
      object.map(MAP_NAMES.epoch).update(Buffer.alloc(4), value);
    },
    clocks: () => ({ boot: bootNanoseconds(), wall: Date.now() }),
    ask,
    put,
    run: runAll,
    close: () => {
      libc().unmap(room);
      object.close();
    },
  };
};
