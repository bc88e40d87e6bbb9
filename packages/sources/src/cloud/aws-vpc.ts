/**
 * AWS VPC flow logs as text, versions 2 to 5, with the default fields or those that a header names. Read as bytes: a record
 * costs no text but for addresses met for the first time.
 * Fields: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
import type { FlowFormatReader, FlowSink } from "../flow-format.ts";
import { numberAt, quadAt, sameAs } from "../shared/byte-values.ts";
import { createEnds, type Ends } from "../shared/ends.ts";
import { wordOfText } from "../shared/known-connections.ts";
import { createLines } from "../shared/lines.ts";
import { SummedFlows, type SummedRecord } from "../shared/summed-flows.ts";
import { headLines, tooLong } from "../shared/text-lines.ts";
import { isPlain, quoteOf } from "../shared/values.ts";
import {
  DEFAULT_FIELDS,
  isAwsHeader,
  readAwsHeader,
  type AwsField,
  type AwsHeader,
} from "./aws-header.ts";

const SPACE = 32;
const DASH = 45;
const ZERO = 48;
const MOST_INTERFACES = 4096;
const STAMPED = /^\d{4}-\d\d-\d\dT\S+Z? /;

export const awsVpc: FlowFormatReader = {
  name: "aws-vpc",
  title: "AWS VPC flow logs, version 2 to 5, text",
  recognises: (head) =>
    headLines(head, 3).some((line) => {
      const plain = line.replace(STAMPED, "");
      return (
        isAwsHeader(plain) ||
        /^[2-9] (\d{12}|unknown) eni-\S+ \S+ \S+ [\d-]+ [\d-]+ [\d-]+ /.test(plain)
      );
    }),
  open: (sink) => openAws(sink),
};

/** All fields that there are take a tenth of it. */
const LONGEST_HEADER = 8192;

function openAws(sink: FlowSink) {
  const decoder = new TextDecoder();
  const flows = new SummedFlows(sink, "aws-vpc", 1);
  const ends = createEnds();
  const interfaces = new Map<number, string>();
  let columns: AwsHeader["columns"] = DEFAULT_FIELDS;
  let headerProblem: string | undefined;

  const record: SummedRecord & { flags: number } = {
    start: 0,
    end: 0,
    source: ends.v4(0),
    sourceWord: 0,
    destination: ends.v4(0),
    destinationWord: 0,
    protocol: 0,
    sourcePort: 0,
    port: 0,
    packets: 0,
    bytes: 0,
    verdict: "forwarded",
    flags: -1,
    node: undefined,
  };

  function readHeader(text: string): boolean {
    const header = readAwsHeader(text);
    if (header === undefined) return false;
    ({ columns, problem: headerProblem } = header);
    if (headerProblem !== undefined) complain(text, headerProblem);
    return true;
  }

  const complain = (text: string, problem: string): void =>
    sink.malformed({ place: lines.place, problem, quote: quoteOf(text) });

  function line(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    const first = bytes[at]!;
    if ((first < ZERO || first > 57) && to - from <= LONGEST_HEADER) {
      const text = decoder.decode(bytes.subarray(from, to));
      if (readHeader(text)) return;
    }
    // CloudWatch writes the time of the event before it.
    if (bytes[at + 4] === DASH && bytes[at + 10] === 84) {
      while (at < to && bytes[at] !== SPACE) at += 1;
      at += 1;
    }
    const problem = headerProblem ?? readRecord(bytes, at, to);
    if (problem !== undefined) complain(decoder.decode(bytes.subarray(from, to)), problem);
  }

  /** What is wrong with it, if anything. */
  function readRecord(bytes: Uint8Array, from: number, to: number): string | undefined {
    record.flags = -1;
    record.node = undefined;
    record.verdict = "forwarded";
    record.sourcePort = 0;
    record.port = 0;
    record.packets = 0;
    record.bytes = 0;
    record.end = Number.NaN;
    let hasSource = false;
    let hasDestination = false;
    let at = from;
    let column = 0;
    while (at < to) {
      let stop = at;
      while (stop < to && bytes[stop] !== SPACE) stop += 1;
      if (stop === at) {
        at += 1;
        continue;
      }
      const field = columns[column];
      column += 1;
      const isUntold = stop - at === 1 && bytes[at] === DASH;
      switch (field) {
        case undefined:
        case "version":
        case "account-id":
          break;
        case "interface-id":
          if (!isUntold) record.node = interfaceAt(bytes, at, stop);
          break;
        case "srcaddr":
        case "pkt-srcaddr":
          // The packet's own address is who it was, where the interface's is a gateway's.
          if (isUntold || (field === "srcaddr" && hasSource)) break;
          if (!setEnd(bytes, at, stop, true)) return "no source address";
          hasSource = true;
          break;
        case "dstaddr":
        case "pkt-dstaddr":
          if (isUntold || (field === "dstaddr" && hasDestination)) break;
          if (!setEnd(bytes, at, stop, false)) return "no destination address";
          hasDestination = true;
          break;
        case "log-status":
          // NODATA, SKIPDATA
          if (bytes[at] === 78) return void sink.other("NODATA");
          if (bytes[at] === 83) return void sink.lost(1);
          break;
        case "action":
          if (bytes[at] === 82) record.verdict = "dropped";
          else if (!isUntold && bytes[at] !== 65) return "an action that is none";
          break;
        default: {
          if (isUntold) break;
          const value = numberAt(bytes, at, stop);
          if (value < 0) return `\`${field}\` is not a number`;
          if (!setNumber(field, value)) return `\`${field}\` is out of range`;
        }
      }
      at = stop + 1;
    }
    if (column !== columns.length) {
      return `${column} fields, where ${columns.length} are expected`;
    }
    if (!hasSource || !hasDestination) return "no addresses";
    if (Number.isNaN(record.end)) record.end = record.start;
    flows.take(record);
    return undefined;
  }

  function setNumber(field: Exclude<AwsField, "version">, value: number): boolean {
    switch (field) {
      case "srcport":
        record.sourcePort = value;
        return value <= 65535;
      case "dstport":
        record.port = value;
        return value <= 65535;
      case "protocol":
        record.protocol = value;
        return value <= 255;
      case "packets":
        record.packets = value;
        return true;
      case "bytes":
        record.bytes = value;
        return true;
      case "start":
        record.start = value * 1000;
        return value < 1e11;
      case "end":
        record.end = value * 1000;
        return value < 1e11;
      case "tcp-flags":
        record.flags = value;
        return value <= 255;
      default:
        return true;
    }
  }

  function setEnd(bytes: Uint8Array, from: number, to: number, isSource: boolean): boolean {
    const value = quadAt(bytes, from, to);
    const end =
      value >= 0 ? ends.v4(value) : wideAt(ends, decoder.decode(bytes.subarray(from, to)));
    if (end === undefined) return false;
    const word = value >= 0 ? value : wordOfText(end.address);
    if (isSource) {
      record.source = end;
      record.sourceWord = word;
    } else {
      record.destination = end;
      record.destinationWord = word;
    }
    return true;
  }

  function interfaceAt(bytes: Uint8Array, from: number, to: number): string | undefined {
    let hash = to - from;
    for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    const known = interfaces.get(hash);
    if (known !== undefined && known.length === to - from && sameAs(known, bytes, from))
      return known;
    const text = decoder.decode(bytes.subarray(from, to));
    if (text.length > 64 || !isPlain(text)) return undefined;
    if (interfaces.size >= MOST_INTERFACES) interfaces.clear();
    interfaces.set(hash, text);
    return text;
  }

  const lines = createLines({
    line,
    tooLong: (beginning) => tooLong(sink, lines.place, beginning),
  });

  return {
    push: (bytes: Uint8Array) => lines.push(bytes),
    end: () => lines.end(),
    get origin() {
      return flows.origin;
    },
  };
}

function wideAt(ends: Ends, text: string) {
  return text.length <= 45 ? ends.at(text) : undefined;
}
