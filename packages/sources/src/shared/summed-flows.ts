/**
 * Flows of sources that sum packets up, one record a direction and interval. Each record is turned so that its source is
 * who called, and a connection counts once, however many records tell of it: at both ends, of the way back, and interval
 * after interval.
 */
import type { Flow, FlowEnd, FlowFormat, FlowOrigin, FlowVerdict } from "@bulkhead/model";
import { ICMP, ICMPV6, TCP } from "@bulkhead/model";
import type { FlowSink } from "../flow-format.ts";
import { SummedOrigin } from "./interval.ts";
import { ANSWERED, KnownConnections, REFUSED, wordOfPorts } from "./known-connections.ts";

const FIN_SYN_RST_ACK = { SYN: 2, RST: 4, ACK: 16 } as const;
const { SYN, RST, ACK } = FIN_SYN_RST_ACK;

/** Silence for so long ends a connection of which no end is told: more than any interval. */
const IDLE_MS = 1_200_000;

/** As the record has it: of packets from `source` to `destination`. */
export interface SummedRecord {
  start: number;
  end: number;
  source: FlowEnd;
  /** A word of its address, for telling connections apart. */
  sourceWord: number;
  destination: FlowEnd;
  destinationWord: number;
  protocol: number;
  sourcePort: number;
  port: number;
  packets: number;
  bytes: number;
  verdict: FlowVerdict;
  /** All TCP flags that were seen together; -1 where the source tells none. */
  flags: number;
  node: string | undefined;
}

export class SummedFlows {
  readonly #sink: FlowSink;
  readonly #known = new KnownConnections();
  readonly #origin: SummedOrigin;

  constructor(sink: FlowSink, format: FlowFormat, sampling: number) {
    this.#sink = sink;
    this.#origin = new SummedOrigin(format, sampling);
  }

  get origin(): FlowOrigin {
    return this.#origin.whole;
  }

  take(record: SummedRecord): void {
    const { protocol, verdict, flags, start } = record;
    // Type and code are not told, and no rule can be made of "some ICMP".
    if (protocol === ICMP || protocol === ICMPV6) return this.#sink.other("ICMP without its type");
    const end = record.end;
    if (verdict !== "forwarded") return this.#give(record, false, true, 1, 0, 1, end);
    const hasFlags = protocol === TCP && flags >= 0;
    const isAnswer = hasFlags && (flags & (SYN | ACK)) === (SYN | ACK);
    const isOpening = hasFlags && (flags & (SYN | ACK)) === SYN;
    let isTold = isAnswer || isOpening;
    let turned = isAnswer;
    if (!isTold) {
      // A connection met before keeps its direction.
      if (this.#meets(record, false)) turned = false;
      else if (this.#meets(record, true)) turned = true;
      else turned = record.sourcePort < record.port && record.sourcePort !== 0;
      isTold = false;
    }
    const { client, server, ports } = wordsOf(record, turned);
    const known = this.#known.meet(client, server, ports);
    const before = this.#known.last;
    const isNew = !known || start - before > IDLE_MS || (isOpening && start > before);
    let state = isNew ? 0 : this.#known.state;
    let established = 0;
    let failed = 0;
    if (turned && (state & ANSWERED) === 0) {
      const isRefusal = hasFlags && (flags & RST) !== 0 && !isAnswer;
      if (!isRefusal) {
        established = 1;
        state |= ANSWERED;
      } else if ((state & REFUSED) === 0) {
        failed = 1;
        state |= REFUSED;
      }
    }
    this.#known.state = state;
    if (isNew || end > before) this.#known.last = end;
    this.#give(record, turned, isTold, isNew ? 1 : 0, established, failed, end);
  }

  #meets(record: SummedRecord, turned: boolean): boolean {
    const { client, server, ports } = wordsOf(record, turned);
    return this.#known.find(client, server, ports) && record.start - this.#known.last <= IDLE_MS;
  }

  #give(
    record: SummedRecord,
    turned: boolean,
    isTold: boolean,
    connections: number,
    established: number,
    failed: number,
    end: number,
  ): void {
    const { start, node } = record;
    const span = end > start ? end - start : 0;
    const flow: Flow = {
      start,
      end,
      source: turned ? record.destination : record.source,
      destination: turned ? record.source : record.destination,
      protocol: record.protocol,
      port: turned ? record.sourcePort : record.port,
      sourcePort: turned ? record.port : record.sourcePort,
      verdict: record.verdict,
      connections,
      established,
      failed,
      bytes: record.bytes,
      packets: record.packets,
      origin: this.#origin.of(span, isTold ? "told" : "guessed"),
      ...(node === undefined ? undefined : { node }),
    };
    this.#sink.flow(flow, turned);
  }
}

function wordsOf(record: SummedRecord, turned: boolean) {
  const { protocol, port, sourcePort, sourceWord, destinationWord } = record;
  return turned
    ? {
        client: destinationWord,
        server: sourceWord,
        ports: wordOfPorts(protocol, sourcePort, port),
      }
    : {
        client: sourceWord,
        server: destinationWord,
        ports: wordOfPorts(protocol, port, sourcePort),
      };
}
