/**
 * Did a connection carry anything, or was it only opened? Estimated from bytes and packets, since that is what the
 * kernel's accounting gives. A TCP header with timestamps takes 52 bytes over IPv4 and 72 over IPv6, a SYN 8 more each
 * way (MSS, SACK, window scale against timestamps alone; RFC 9293, RFC 7323); UDP and ICMP headers take 28 and 48.
 */
import { TCP, type Edge } from "@bulkhead/model";

export type Substance =
  /** More bytes than headers: something was said. */
  | "data"
  /** Opened, and not a word. */
  | "empty"
  /** Not accounted (yet): long-lived connections are counted when they end. */
  | "unknown";

/**
 * Passed, and neither answered nor given up yet: the collector tells what became of it some seconds later, of one that stays
 * without an answer too.
 */
export function isPending(edge: Counted & Pick<Edge, "verdict">): boolean {
  return (
    edge.verdict === "forwarded" &&
    edge.connections > 0 &&
    edge.established === 0 &&
    edge.failed === 0
  );
}

type Counted = Pick<
  Edge,
  "source" | "protocol" | "bytes" | "packets" | "connections" | "established" | "failed"
>;

/** Opened before anybody looked, and still alive: only its bytes are seen. */
export function isContinuing(edge: Counted): boolean {
  return edge.connections === 0 && edge.failed === 0 && edge.bytes > 0;
}

/** Did the other end take the connection? */
export function wasTaken(edge: Counted): boolean {
  return edge.established > 0 || isContinuing(edge);
}

export function substanceOf(edge: Counted): Substance {
  if (!wasTaken(edge)) return "empty";
  if (edge.bytes === 0 || edge.packets === 0) return "unknown";
  const six = edge.source.address.includes(":");
  if (edge.protocol !== TCP) return edge.bytes > edge.packets * (six ? 48 : 28) ? "data" : "empty";
  const headers = edge.packets * (six ? 72 : 52) + edge.established * 16;
  return edge.bytes > headers ? "data" : "empty";
}

/** Something answered, and not merely with a handshake, as far as can be told. */
export function wasAnswered(edge: Counted): boolean {
  return substanceOf(edge) !== "empty" || isContinuing(edge);
}
