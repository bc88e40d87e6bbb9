/**
 * Captures of packets as flows: headers only, no payload is looked at or kept. TCP is followed by its flags; of what began
 * before the capture the lower port is taken to have been called.
 */
import { ICMP, ICMPV6, TCP, type FlowEnd, type FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader } from "../flow-format.ts";
import { createEnds } from "../shared/ends.ts";
import { KnownConnections, wordOfPorts, wordOfText } from "../shared/known-connections.ts";
import { createPacketFlows, type ToldPacket } from "../shared/packet-flows.ts";
import { isTime } from "../shared/values.ts";
import { isCapture, readCapture } from "./capture-file.ts";
import { readPacketHeader, type PacketHeader } from "./packet-header.ts";

const TOLD: FlowOrigin = { format: "pcap", sampling: 1, aggregation: 0, direction: "told" };
const GUESSED: FlowOrigin = { ...TOLD, direction: "guessed" };
const [SYN, RST, ACK] = [2, 4, 16] as const;
/** Bits of what is known of a conversation. */
const [TURNED, IS_TOLD] = [1, 2] as const;

/** Echo requests and the replies that answer them, as type*256 (RFC 792, RFC 4443). */
const ECHO_REPLIES: ReadonlyMap<number, number> = new Map([
  [ICMP * 65_536, 8 * 256],
  [ICMPV6 * 65_536 + 129 * 256, 128 * 256],
]);
const ECHO_REQUESTS = new Set([ICMP * 65_536 + 8 * 256, ICMPV6 * 65_536 + 128 * 256]);

export const pcap: FlowFormatReader = {
  name: "pcap",
  title: "captures of packets, pcap or pcapng: headers only",
  recognises: isCapture,
  open: (sink) => {
    const ends = createEnds();
    const known = new KnownConnections();
    const flows = createPacketFlows(sink, { origin: TOLD });
    let anyGuessed = false;

    const endOf = (address: PacketHeader["source"]): FlowEnd | undefined =>
      typeof address === "number" ? ends.v4(address) : ends.at(address);

    function take(header: PacketHeader, time: number): void {
      const source = endOf(header.source);
      const destination = endOf(header.destination);
      if (source === undefined || destination === undefined) return;
      const told = turnedRound(header, source, destination, known);
      if (typeof told === "string") return sink.other(told);
      anyGuessed ||= told.origin === GUESSED;
      flows.take({ ...told, time, protocol: header.protocol, verdict: "forwarded" }, header.bytes);
    }

    const file = readCapture({
      packet(bytes, from, to, { time, link }) {
        if (!isTime(time)) return sink.other("a packet of no possible time");
        const header = readPacketHeader(bytes, from, to, link);
        if (typeof header === "string") sink.other(header);
        else take(header, time);
      },
      malformed: (problem) => sink.malformed({ place: file.place, problem, quote: "" }),
      other: (what) => sink.other(what),
      lost: (packets) => sink.lost(packets),
    });
    return {
      push: (bytes) => file.push(bytes),
      end() {
        file.end();
        flows.end();
      },
      get origin() {
        return anyGuessed ? GUESSED : TOLD;
      },
    };
  },
};

type Turned = Pick<
  ToldPacket,
  "source" | "destination" | "port" | "sourcePort" | "shows" | "origin"
>;

/** The packet's connection, as from who called; or what it is instead. */
function turnedRound(
  header: PacketHeader,
  source: FlowEnd,
  destination: FlowEnd,
  known: KnownConnections,
): Turned | string {
  const { protocol, port, sourcePort, flags } = header;
  if (protocol === ICMP || protocol === ICMPV6) return echo(header, source, destination);
  const isOpening = protocol === TCP && (flags & (SYN | ACK)) === SYN;
  const isAnswer = protocol === TCP && (flags & (SYN | ACK)) === (SYN | ACK);
  // One name for both directions: the end that sorts first goes first.
  const [a, b] = [wordOfText(source.address), wordOfText(destination.address)];
  const isSwapped = a > b || (a === b && sourcePort > port);
  const wasMet = isSwapped
    ? known.meet(b, a, wordOfPorts(protocol, sourcePort, port))
    : known.meet(a, b, wordOfPorts(protocol, port, sourcePort));
  if (!wasMet || isOpening || isAnswer) {
    const isReply = isAnswer || (!isOpening && sourcePort !== 0 && sourcePort < port);
    const isFirstCalled = isSwapped ? !isReply : isReply;
    known.state = (isFirstCalled ? TURNED : 0) | (isOpening || isAnswer ? IS_TOLD : 0);
  }
  const isFirstCalled = (known.state & TURNED) !== 0;
  const isReply = isSwapped ? !isFirstCalled : isFirstCalled;
  return {
    source: isReply ? destination : source,
    destination: isReply ? source : destination,
    port: isReply ? sourcePort : port,
    sourcePort: isReply ? port : sourcePort,
    shows: showsOf(protocol, flags, isReply),
    origin: (known.state & IS_TOLD) === 0 ? GUESSED : TOLD,
  };
}

function showsOf(protocol: number, flags: number, isReply: boolean): ToldPacket["shows"] {
  if (isReply) return (flags & RST) === 0 ? "answered" : "refused";
  if (protocol !== TCP || (flags & SYN) !== 0) return "opened";
  // Whoever opened a connection sends more only when it was answered.
  return (flags & ACK) !== 0 && (flags & RST) === 0 ? "answered" : "more";
}

function echo(
  { protocol, port }: PacketHeader,
  source: FlowEnd,
  destination: FlowEnd,
): Turned | string {
  const kind = protocol * 65_536 + port;
  if (ECHO_REQUESTS.has(kind)) return { source, destination, port, sourcePort: 0, shows: "opened" };
  const request = ECHO_REPLIES.get(kind);
  if (request === undefined) return "ICMP that is no echo";
  return {
    source: destination,
    destination: source,
    port: request,
    sourcePort: 0,
    shows: "answered",
  };
}
