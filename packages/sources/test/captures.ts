/** Captures of packets, byte by byte, for tests. */

export interface Frame {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly bytes: readonly number[];
}

const AT = 1_767_607_200_000;
const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const MACS = Array.from({ length: 12 }, (_, at) => at);
const quad = (text: string): number[] => text.split(".").map(Number);

export const SYN = 2;
export const RST = 4;
export const ACK = 16;

export function tcp(from: number, to: number, flags: number): number[] {
  return [...u16(from), ...u16(to), 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0];
}

export function udp(from: number, to: number): number[] {
  return [...u16(from), ...u16(to), 0, 8, 0, 0];
}

export function ipv4(
  from: string,
  to: string,
  protocol: number,
  payload: readonly number[],
  fragment = 0,
): number[] {
  const length = u16(20 + payload.length);
  const front = [0x45, 0, ...length, 0, 1, ...u16(fragment), 64, protocol, 0, 0];
  return [...front, ...quad(from), ...quad(to), ...payload];
}

/** `from` and `to`: the last byte of an address in 2001:db8::/64. */
export function ipv6(from: number, to: number, next: number, payload: readonly number[]): number[] {
  const address = (last: number): number[] => [
    0x20,
    0x01,
    0x0d,
    0xb8,
    ...Array.from({ length: 11 }, () => 0),
    last,
  ];
  return [
    0x60,
    0,
    0,
    0,
    ...u16(payload.length),
    next,
    64,
    ...address(from),
    ...address(to),
    ...payload,
  ];
}

export function ethernet(packet: readonly number[], tags: readonly number[] = []): number[] {
  const type = (packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800;
  return [...MACS, ...tags, ...u16(type), ...packet];
}

export const at = (ms: number, bytes: readonly number[]): Frame => ({ time: AT + ms, bytes });

export const HANDSHAKE: readonly Frame[] = [
  at(0, ethernet(ipv4("10.0.1.5", "10.0.2.6", 6, tcp(40_112, 5432, SYN)))),
  at(1, ethernet(ipv4("10.0.2.6", "10.0.1.5", 6, tcp(5432, 40_112, SYN | ACK)))),
  at(2, ethernet(ipv4("10.0.1.5", "10.0.2.6", 6, tcp(40_112, 5432, ACK)))),
  at(9, ethernet(ipv4("10.0.1.5", "10.0.2.7", 6, tcp(40_113, 81, SYN)))),
  at(10, ethernet(ipv4("10.0.2.7", "10.0.1.5", 6, tcp(81, 40_113, RST | ACK)))),
];

function words(little: boolean, ...values: readonly number[]): number[] {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, at) => view.setUint32(at * 4, value, little));
  return [...new Uint8Array(view.buffer)];
}

export function pcapOf(
  frames: readonly Frame[],
  { link = 1, little = true, nano = false } = {},
): Uint8Array {
  const magic = nano ? 0xa1b23c4d : 0xa1b2c3d4;
  const version = little ? [2, 0, 4, 0] : [0, 2, 0, 4];
  const head = [...words(little, magic), ...version, ...words(little, 0, 0, 65_535, link)];
  const records = frames.flatMap(({ time, bytes }) => [
    ...words(
      little,
      Math.floor(time / 1000),
      (time % 1000) * (nano ? 1e6 : 1e3),
      bytes.length,
      bytes.length,
    ),
    ...bytes,
  ]);
  return Uint8Array.from([...head, ...records]);
}

export function pcapngOf(frames: readonly Frame[], { link = 1, little = true } = {}): Uint8Array {
  const block = (type: number, body: readonly number[]): number[] => {
    const padded = [...body, ...Array.from({ length: (4 - (body.length % 4)) % 4 }, () => 0)];
    const total = padded.length + 12;
    return [...words(little, type, total), ...padded, ...words(little, total)];
  };
  const section = [
    ...words(little, 0x1a2b3c4d),
    ...words(little, 1),
    ...words(little, 0xffffffff, 0xffffffff),
  ];
  const linkWord = little ? [link, 0, 0, 0] : [0, link, 0, 0];
  // if_tsresol: milliseconds
  const resolution = little ? [9, 0, 1, 0, 3, 0, 0, 0] : [0, 9, 0, 1, 3, 0, 0, 0];
  const packets = frames.flatMap(({ time, bytes }) =>
    block(6, [
      ...words(little, 0, Math.floor(time / 2 ** 32), time % 2 ** 32, bytes.length, bytes.length),
      ...bytes,
    ]),
  );
  const dropped = little
    ? [5, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0]
    : [0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3];
  return Uint8Array.from([
    ...block(0x0a0d0d0a, section),
    ...block(1, [...linkWord, ...words(little, 0), ...resolution]),
    ...packets,
    ...block(5, [...words(little, 0, 0, 0), ...dropped]),
  ]);
}
