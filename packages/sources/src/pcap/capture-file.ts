/**
 * Captures of packets: pcap (either byte order, micro- or nanoseconds) and pcapng, in pieces. Hands out each packet as it
 * lies, with its time and kind of link; of what follows damage nothing can be told.
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ and draft-ietf-opsawg-pcapng
 */

/** No packet is longer; what says so is damaged. */
const LONGEST = 1_048_576;

export interface CaptureTaker {
  /** `bytes[from..to)` was captured of `length`; valid during the call. */
  packet(
    bytes: Uint8Array,
    from: number,
    to: number,
    about: { readonly time: number; readonly link: number; readonly length: number },
  ): void;
  malformed(problem: string): void;
  other(what: string): void;
  lost(packets: number): void;
}

interface Link {
  readonly type: number;
  /** Units of a second, and seconds before all of them. */
  readonly units: number;
  readonly offset: number;
}

const MAGICS: ReadonlyMap<number, { readonly little: boolean; readonly units: number }> = new Map([
  [0xa1b2c3d4, { little: false, units: 1e6 }],
  [0xd4c3b2a1, { little: true, units: 1e6 }],
  [0xa1b23c4d, { little: false, units: 1e9 }],
  [0x4d3cb2a1, { little: true, units: 1e9 }],
]);
const SECTION = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;

export function isCapture(head: Uint8Array): boolean {
  if (head.length < 24) return false;
  const magic = viewOf(head).getUint32(0);
  return MAGICS.has(magic) || magic === SECTION;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export interface CaptureFile {
  push(bytes: Uint8Array): void;
  end(): void;
  /** Packet or block being read, from 1. */
  readonly place: number;
}

export function readCapture(taker: CaptureTaker): CaptureFile {
  let rest: Uint8Array = new Uint8Array(0);
  let place = 0;
  let kind: "unknown" | "pcap" | "pcapng" = "unknown";
  let isDamaged = false;
  let little = false;
  let link: Link = { type: -1, units: 1e6, offset: 0 };
  let links: Link[] = [];

  function damaged(problem: string): number {
    isDamaged = true;
    taker.malformed(problem);
    return 0;
  }

  /** How many bytes of `view` from `at` were used; 0: more are needed. */
  function step(view: DataView, bytes: Uint8Array, at: number): number {
    const left = bytes.length - at;
    switch (kind) {
      case "unknown":
        return left < 24 ? 0 : begin(view, at);
      case "pcap":
        return left < 16 ? 0 : readPacket(view, bytes, at, left);
      case "pcapng":
        return left < 12 ? 0 : readBlock(view, bytes, at, left);
    }
  }

  function begin(view: DataView, at: number): number {
    const magic = view.getUint32(at);
    if (magic === SECTION) {
      kind = "pcapng";
      return -1;
    }
    const found = MAGICS.get(magic);
    if (found === undefined) return damaged("not a capture of packets");
    kind = "pcap";
    little = found.little;
    link = { type: view.getUint32(at + 20, little) & 0xffff, units: found.units, offset: 0 };
    return 24;
  }

  function readPacket(view: DataView, bytes: Uint8Array, at: number, left: number): number {
    const captured = view.getUint32(at + 8, little);
    if (captured > LONGEST) {
      place += 1;
      return damaged("a packet longer than any: damaged from here on");
    }
    if (left < 16 + captured) return 0;
    place += 1;
    const seconds = view.getUint32(at, little);
    const time = seconds * 1000 + (view.getUint32(at + 4, little) * 1000) / link.units;
    const length = view.getUint32(at + 12, little);
    taker.packet(bytes, at + 16, at + 16 + captured, {
      time: Math.floor(time),
      link: link.type,
      length,
    });
    return 16 + captured;
  }

  function readBlock(view: DataView, bytes: Uint8Array, at: number, left: number): number {
    const type = view.getUint32(at, false);
    if (type === SECTION) {
      const order = view.getUint32(at + 8, true);
      if (order !== BYTE_ORDER && view.getUint32(at + 8, false) !== BYTE_ORDER) {
        place += 1;
        return damaged("a section of no known byte order");
      }
      little = order === BYTE_ORDER;
      links = [];
    }
    const total = view.getUint32(at + 4, little);
    if (total < 12 || total % 4 !== 0 || total > LONGEST + 65_536) {
      place += 1;
      return damaged("a block of no possible length: damaged from here on");
    }
    if (left < total) return 0;
    place += 1;
    const end = at + total - 4;
    switch (type === SECTION ? 0 : view.getUint32(at, little)) {
      case 0:
        break;
      case 1:
        if (links.length < 4096 && total >= 20) links.push(linkOf(view, at, end));
        break;
      case 2:
      case 6:
        readEnhanced(view, bytes, at, end);
        break;
      case 3:
        taker.other("a packet without a time");
        break;
      case 5:
        readStatistics(view, at, end);
        break;
      default:
        break;
    }
    return total;
  }

  function linkOf(view: DataView, at: number, end: number): Link {
    let units = 1e6;
    let offset = 0;
    for (const [code, from, length] of optionsIn(view, at + 16, end)) {
      if (code === 9 && length >= 1) {
        const resolution = view.getUint8(from);
        units = (resolution & 0x80) === 0 ? 10 ** resolution : 2 ** (resolution & 0x7f);
      }
      if (code === 14 && length >= 8) offset = Number(view.getBigInt64(from, little));
    }
    return { type: view.getUint16(at + 8, little), units, offset };
  }

  /** Enhanced packets, and the obsolete ones before them, which are laid out nearly alike. */
  function readEnhanced(view: DataView, bytes: Uint8Array, at: number, end: number): void {
    if (end - at < 28) return taker.malformed("a packet block too short for a packet");
    const isOld = view.getUint32(at, little) === 2;
    const number = isOld ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
    const one = links[number];
    if (one === undefined) return taker.malformed("a packet of an interface that is not described");
    const ticks = view.getUint32(at + 12, little) * 4_294_967_296 + view.getUint32(at + 16, little);
    const captured = view.getUint32(at + 20, little);
    if (at + 28 + captured > end) return taker.malformed("a packet longer than its block");
    const time = Math.floor((ticks * 1000) / one.units) + one.offset * 1000;
    const length = view.getUint32(at + 24, little);
    taker.packet(bytes, at + 28, at + 28 + captured, { time, link: one.type, length });
  }

  function readStatistics(view: DataView, at: number, end: number): void {
    for (const [code, from, length] of optionsIn(view, at + 20, end)) {
      // isb_ifdrop
      if (code !== 5 || length < 8) continue;
      const dropped = Number(view.getBigUint64(from, little));
      if (Number.isSafeInteger(dropped) && dropped > 0) taker.lost(dropped);
    }
  }

  function* optionsIn(
    view: DataView,
    from: number,
    end: number,
  ): Generator<readonly [code: number, from: number, length: number]> {
    let at = from;
    while (at + 4 <= end) {
      const code = view.getUint16(at, little);
      const length = view.getUint16(at + 2, little);
      if (code === 0 || at + 4 + length > end) return;
      yield [code, at + 4, length];
      at += 4 + length + ((4 - (length % 4)) % 4);
    }
  }

  return {
    get place() {
      return place;
    },
    push(bytes) {
      if (isDamaged) return;
      let whole = bytes;
      if (rest.length > 0) {
        whole = new Uint8Array(rest.length + bytes.length);
        whole.set(rest);
        whole.set(bytes, rest.length);
      }
      const view = viewOf(whole);
      let at = 0;
      for (;;) {
        const used = step(view, whole, at);
        if (used === 0) break;
        at += Math.max(0, used);
      }
      rest = isDamaged ? new Uint8Array(0) : whole.slice(at);
    },
    end() {
      if (rest.length === 0) return;
      place += 1;
      taker.malformed("broken off in the middle of a packet");
      rest = new Uint8Array(0);
    },
  };
}
