/** Turns a finished window's numbers into the records that the rest of the product speaks of. */
import { formatIp, type FlowRecord, type IpAddress, type ProcessHandle } from "@bulkhead/model";
import {
  KEY_WORDS,
  TRANSLATED,
  V_BYTES,
  V_CONNECTIONS,
  V_END,
  V_ESTABLISHED,
  V_FAILED,
  V_PACKETS,
  V_SOURCE_PORT,
  V_START,
  VALUE_NUMBERS,
} from "./flow-table.ts";
import { FORWARDED, VERDICTS } from "./log-prefix.ts";
import type { WindowMessage } from "./reader-protocol.ts";

const DIRECTIONS = [undefined, "egress", "ingress"] as const;
/** Addresses repeat in every window; their texts are kept, up to a bound, and then forgotten together. */
const MAX_TEXTS = 16_384;

/** With the handles of processes whose sockets the kernel found at the ends: theirs for certain, where they are told. */
export interface CollectedRecord extends FlowRecord {
  readonly sourceHandle?: ProcessHandle;
  readonly destinationHandle?: ProcessHandle;
}

export interface AddressTexts {
  text(family: 4 | 6, a0: number, a1: number, a2: number, a3: number): IpAddress;
}

export function createAddressTexts(): AddressTexts {
  const v4 = new Map<number, IpAddress>();
  const v6 = new Map<bigint, IpAddress>();
  return {
    text(family, a0, a1, a2, a3) {
      if (family === 4) {
        let text = v4.get(a0);
        if (text === undefined) {
          text = `${a0 >>> 24}.${(a0 >>> 16) & 255}.${(a0 >>> 8) & 255}.${a0 & 255}`;
          if (v4.size >= MAX_TEXTS) v4.clear();
          v4.set(a0, text);
        }
        return text;
      }
      const value = (BigInt(a0) << 96n) | (BigInt(a1) << 64n) | (BigInt(a2) << 32n) | BigInt(a3);
      let text = v6.get(value);
      if (text === undefined) {
        text = formatIp(6, value);
        if (v6.size >= MAX_TEXTS) v6.clear();
        v6.set(value, text);
      }
      return text;
    },
  };
}

const hexOf = (word: number): string => word.toString(16).padStart(8, "0");

export function recordsOf(
  { count, keys, values }: WindowMessage,
  texts: AddressTexts,
): CollectedRecord[] {
  const records: CollectedRecord[] = [];
  for (let entry = 0; entry < count; entry++) {
    const k = entry * KEY_WORDS;
    const v = entry * VALUE_NUMBERS;
    const meta = keys[k]!;
    const cookie = keys[k + 1]!;
    const family = (meta & 1) === 1 ? 6 : 4;
    const verdict = (meta >>> 1) & 7;
    const direction = DIRECTIONS[(meta >>> 4) & 3];
    const [sourceHandle, destinationHandle] = [keys[k + 10]!, keys[k + 11]!];
    records.push({
      start: values[v + V_START]!,
      end: values[v + V_END]!,
      source: texts.text(family, keys[k + 2]!, keys[k + 3]!, keys[k + 4]!, keys[k + 5]!),
      destination: texts.text(family, keys[k + 6]!, keys[k + 7]!, keys[k + 8]!, keys[k + 9]!),
      protocol: (meta >>> 8) & 0xff,
      port: meta >>> 16,
      sourcePort: values[v + V_SOURCE_PORT]!,
      verdict: VERDICTS[verdict]!,
      ...(verdict !== FORWARDED || cookie !== 0 ? { cookie: hexOf(cookie) } : {}),
      ...(direction === undefined ? {} : { direction }),
      ...((meta & TRANSLATED) === 0 ? {} : { translated: true as const }),
      connections: values[v + V_CONNECTIONS]!,
      established: values[v + V_ESTABLISHED]!,
      failed: values[v + V_FAILED]!,
      bytes: values[v + V_BYTES]!,
      packets: values[v + V_PACKETS]!,
      ...(sourceHandle === 0 ? {} : { sourceHandle: hexOf(sourceHandle) }),
      ...(destinationHandle === 0 ? {} : { destinationHandle: hexOf(destinationHandle) }),
    });
  }
  return records;
}
