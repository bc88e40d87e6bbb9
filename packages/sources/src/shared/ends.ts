/**
 * Ends of flows that bear nothing but an address, each made once: reading a hundred million records meets the same few
 * thousand. Bounded; what is forgotten is made again.
 */
import { canonicalIp, type FlowEnd, type IpAddress, type Labels } from "@bulkhead/model";

/** One object: its text is made once wherever labels are written. */
export const NO_LABELS: Labels = Object.freeze({});

const MOST = 100_000;

export interface Ends {
  /** By the text of an address, in any form; undefined where it is none. */
  at(text: string): FlowEnd | undefined;
  /** By the number of an IPv4 address. */
  v4(value: number): FlowEnd;
}

export function plainEnd(address: IpAddress): FlowEnd {
  return { address, name: address, labels: NO_LABELS };
}

export function quadText(value: number): IpAddress {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

export function createEnds(most = MOST): Ends {
  const texts = new Map<string, FlowEnd>();
  const quads = new Map<number, FlowEnd>();
  return {
    at(text) {
      const known = texts.get(text);
      if (known !== undefined) return known;
      const address = canonicalIp(text);
      if (address === null) return undefined;
      const end = plainEnd(address);
      if (texts.size >= most) texts.clear();
      texts.set(text, end);
      return end;
    },
    v4(value) {
      const known = quads.get(value);
      if (known !== undefined) return known;
      const end = plainEnd(quadText(value));
      if (quads.size >= most) quads.clear();
      quads.set(value, end);
      return end;
    },
  };
}
