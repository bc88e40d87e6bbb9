/**
 * The kernel's connection tracking as `conntrack` prints it: a listing (`-L`, `-o extended` or not, /proc/net/nf_conntrack) or
 * events (`-E`), with the times of `-o timestamp` where it was given. A listing tells no time: it is taken to be of when
 * the file was written. Words: conntrack(8).
 */
import { ICMP, ICMPV6, type Flow, type FlowEnd, type FlowOrigin } from "@bulkhead/model";
import type { FlowFormatReader, FlowSink } from "./flow-format.ts";
import { createEnds, type Ends } from "./shared/ends.ts";
import { KnownConnections, wordOfPorts, wordOfText } from "./shared/known-connections.ts";
import { protocolOf } from "./shared/protocols.ts";
import { headLines, readTextLines } from "./shared/text-lines.ts";
import { digitsOrZero, isTime } from "./shared/values.ts";

const ORIGIN: FlowOrigin = { format: "conntrack", sampling: 1, aggregation: 0, direction: "told" };

/** Of what stands before the first address, with single spaces. */
const FRONT =
  /^(?:\[(\d+\.\d+) ?\])? ?(?:\[(NEW|UPDATE|DESTROY)\])? ?(?:ipv[46] \d+ )?[a-z0-9-]+ (\d+) (.*)$/;
const PAIRS = /\b(\w+)=(\S+)/g;
/** Of a line, to tell that it is one. */
const RECOGNISED = 2048;

interface Front {
  readonly stamp: string | undefined;
  readonly event: string | undefined;
  readonly number: string;
  readonly middle: string;
  readonly rest: string;
}

/** Taken apart at one place, and its spaces made one first: a pattern that may do so itself tries all ways. */
function frontOf(text: string): Front | undefined {
  const at = text.indexOf("src=");
  if (at < 0) return undefined;
  const found = FRONT.exec(text.slice(0, at).replaceAll(/\s+/g, " "));
  if (found === null) return undefined;
  const [, stamp, event, number = "", middle = ""] = found;
  return { stamp, event, number, middle: middle.trim(), rest: text.slice(at) };
}

/** Answered, or closed by both after that. */
const ANSWERED = /\b(ESTABLISHED|FIN_WAIT|CLOSE_WAIT|LAST_ACK|TIME_WAIT)\b/;

export const conntrack: FlowFormatReader = {
  name: "conntrack",
  title: "`conntrack -L` and `conntrack -E`, with -o extended or timestamp, or without",
  recognises: (head) =>
    headLines(head, 5).some((line) => {
      const found = frontOf(line);
      return / dst=\S+ .*\bsrc=\S+ dst=/.test(found?.rest.slice(0, RECOGNISED) ?? "");
    }),
  open: (sink, { at } = {}) => {
    const ends = createEnds();
    const begun = new KnownConnections();
    return readTextLines(sink, {
      origin: ORIGIN,
      line(text, malformed) {
        if (text.startsWith("conntrack v")) return sink.other("what conntrack says of itself");
        const problem = readLine(text, { ends, begun, sink, at });
        if (problem !== undefined) malformed(problem);
      },
    });
  },
};

interface Tuple {
  readonly src: FlowEnd;
  readonly dst: FlowEnd;
  readonly sport: number;
  readonly dport: number;
  readonly type: number | undefined;
  readonly code: number;
  readonly packets: number;
  readonly bytes: number;
}

interface Around {
  readonly ends: Ends;
  /** Of which a beginning was told. */
  readonly begun: KnownConnections;
  readonly sink: FlowSink;
  readonly at: number | undefined;
}

function readLine(text: string, { ends, begun, sink, at }: Around): string | undefined {
  const front = frontOf(text);
  const protocol = protocolOf(front?.number);
  if (front === undefined || protocol === undefined) return "not a connection";
  const { stamp, event, middle, rest } = front;
  const time = stamp === undefined ? at : Math.round(Number(stamp) * 1000);
  if (time === undefined || !isTime(time)) return "no time: give conntrack -o timestamp";
  // What an update tells, the end tells again.
  if (event === "UPDATE") return void sink.other("an update");
  const [original, reply] = tuplesOf(rest, ends);
  if (original === undefined || reply === undefined) return "no addresses";
  const isUnreplied = rest.includes("[UNREPLIED]");
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  const isAnswered =
    !isUnreplied && (middle === "" || ANSWERED.test(middle) || !/[A-Z]/.test(middle));
  const isTranslated = reply.src !== original.dst || (!isIcmp && reply.sport !== original.dport);
  const words = [
    wordOfText(original.src.address),
    wordOfText(original.dst.address),
    wordOfPorts(protocol, original.dport, original.sport),
  ] as const;
  if (event === "NEW") begun.meet(...words);
  // Where only ends are recorded, they are all there is.
  const isNews = event === "DESTROY" && begun.find(...words);
  const isOver = event !== "NEW";
  const flow: Flow = {
    start: time,
    end: time,
    source: original.src,
    // Who answers is who was reached, whatever had been addressed.
    destination: reply.src,
    protocol,
    port: isIcmp ? (original.type ?? 0) * 256 + original.code : reply.sport,
    sourcePort: isIcmp ? 0 : original.sport,
    verdict: "forwarded",
    connections: isNews ? 0 : 1,
    established: isOver && isAnswered ? 1 : 0,
    failed: isOver && isUnreplied ? 1 : 0,
    bytes: original.bytes + reply.bytes,
    packets: original.packets + reply.packets,
    origin: ORIGIN,
    ...(isTranslated ? { translated: true } : {}),
  };
  sink.flow(flow);
  return undefined;
}

/** Of both directions, as the kernel writes them one behind the other. */
function tuplesOf(rest: string, ends: Ends): readonly (Tuple | undefined)[] {
  const pairs = [...rest.matchAll(PAIRS)].map(([, key = "", value = ""]) => [key, value] as const);
  const second = pairs.findIndex(([key], at) => at > 0 && key === "src");
  if (second < 0) return [];
  return [pairs.slice(0, second), pairs.slice(second)].map((half) => {
    // The first of a key: what stands behind both directions (mark, use) is not asked for.
    const values = new Map(half.toReversed());
    const src = ends.at(values.get("src") ?? "");
    const dst = ends.at(values.get("dst") ?? "");
    if (src === undefined || dst === undefined) return undefined;
    const count = (key: string): number => digitsOrZero(values.get(key));
    const isTyped = values.has("type");
    const [sport, dport, type, code] = [
      count("sport"),
      count("dport"),
      count("type"),
      count("code"),
    ];
    if (Math.max(sport, dport) > 65535 || Math.max(type, code) > 255) return undefined;
    return {
      src,
      dst,
      sport,
      dport,
      type: isTyped ? type : undefined,
      code,
      packets: count("packets"),
      bytes: count("bytes"),
    };
  });
}
