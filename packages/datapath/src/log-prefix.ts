/**
 * How a logged packet says what was decided about it: the text in front of every NFLOG message of ours. The kernel
 * allows 127 bytes; ours are at most 22. A trailing ` r` marks a packet that travels against its connection's
 * original direction (a reply of a revoked flow), so that its reader swaps both ends; ` n` a connection whose destination
 * is a translated one, which is told while a rollout is under way: what was addressed is then not in the packet. ` l` is said where a connection over
 * loopback arrives: whoever was told of its departure has been told all.
 *
 * Whose socket is at an end of a connection is a message of its own, in front of what was decided (`bh1 P e 0123abcd`), for a
 * rule's prefix cannot hold both.
 */
import type { Cookie, Direction, FlowVerdict, ProcessHandle } from "@bulkhead/model";

/** The netfilter log group that carries our messages, and nobody else's. */
export const NFLOG_GROUP = 1786;

/** The group that carries copies of DNS answers. */
export const NFLOG_DNS_GROUP = 1787;
export const DNS_PREFIX = "bh1 dns";

/** Nothing determined it: the default. */
export const NO_COOKIE: Cookie = "00000000";

export interface LogPrefix {
  readonly verdict: Exclude<FlowVerdict, "error">;
  /** Absent for `forwarded` and `spoofed`, which no direction decides. */
  readonly direction?: Direction;
  readonly cookie: Cookie;
  /** The packet is a reply: source and destination are those of the connection, swapped. */
  readonly reply: boolean;
  /** The destination is not the one that was addressed. Absent: not told. */
  readonly translated?: true;
  /** Where a connection over loopback arrives; what happened at its departure has been told already, if anything had. */
  readonly arrival?: true;
}

/** The packet's connection has this process at one end, for the kernel found its socket there. */
export interface ProcessNote {
  /** `egress`: at the connection's source. */
  readonly direction: Direction;
  readonly process: ProcessHandle;
}

const VERDICT_LETTERS = {
  forwarded: "F",
  dropped: "D",
  rejected: "R",
  audit: "A",
  spoofed: "S",
} as const satisfies Record<LogPrefix["verdict"], string>;

const DIRECTION_LETTERS = { egress: "e", ingress: "i" } as const satisfies Record<
  Direction,
  string
>;

const PREFIX = /^bh1 ([FDRAS]) ([ei-]) ([0-9a-f]{8})( r)?( n)?( l)?$/;
const NOTE = /^bh1 P ([ei]) ([0-9a-f]{8})$/;

export const formatProcessNote = ({ direction, process }: ProcessNote): string =>
  `bh1 P ${DIRECTION_LETTERS[direction]} ${process}`;

/** Null when the text is no such note. */
export const parseProcessNote = (text: string): ProcessNote | null => {
  const [, way, process] = NOTE.exec(text) ?? [];
  if (process === undefined) return null;
  return { direction: way === "e" ? "egress" : "ingress", process };
};

export const formatLogPrefix = ({
  verdict,
  direction,
  cookie,
  reply,
  translated,
  arrival,
}: LogPrefix): string =>
  `bh1 ${VERDICT_LETTERS[verdict]} ${direction === undefined ? "-" : DIRECTION_LETTERS[direction]} ${cookie}${reply ? " r" : ""}${translated === true ? " n" : ""}${arrival === true ? " l" : ""}`;

/** Null when the text is not one of ours. */
export const parseLogPrefix = (text: string): LogPrefix | null => {
  const parts = PREFIX.exec(text);
  if (parts === null) return null;
  const [, letter, way, cookie, reply, translated, arrival] = parts;
  const verdict = (Object.keys(VERDICT_LETTERS) as LogPrefix["verdict"][]).find(
    (name) => VERDICT_LETTERS[name] === letter,
  );
  if (verdict === undefined || cookie === undefined) return null;
  return {
    verdict,
    ...(way === "e" ? { direction: "egress" as const } : {}),
    ...(way === "i" ? { direction: "ingress" as const } : {}),
    cookie,
    reply: reply !== undefined,
    ...(translated === undefined ? {} : { translated: true as const }),
    ...(arrival === undefined ? {} : { arrival: true as const }),
  };
};
