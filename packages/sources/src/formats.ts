/** Every format that is read, by name, and which of them a file's beginning looks like. */
import type { FlowFormat } from "@bulkhead/model";
import { calico } from "./calico.ts";
import { awsVpc } from "./cloud/aws-vpc.ts";
import { azure } from "./cloud/azure.ts";
import { gcpVpc } from "./cloud/gcp-vpc.ts";
import { conntrack } from "./conntrack.ts";
import { envoy } from "./envoy.ts";
import type { FlowFormatReader } from "./flow-format.ts";
import { hubble } from "./hubble/hubble.ts";
import { bulkhead } from "./own.ts";
import { pcap } from "./pcap/pcap.ts";
import { zeek } from "./zeek.ts";

/** Those that can be told most surely go first. */
export const FORMAT_READERS: readonly FlowFormatReader[] = [
  pcap,
  bulkhead,
  hubble,
  zeek,
  azure,
  gcpVpc,
  calico,
  awsVpc,
  conntrack,
  envoy,
];

/** So much of a file's beginning is looked at. */
export const HEAD_BYTES = 65_536;

export function readerOf(name: FlowFormat): FlowFormatReader | undefined {
  return FORMAT_READERS.find((reader) => reader.name === name);
}

export function recogniseFormat(head: Uint8Array): FlowFormatReader | undefined {
  const beginning = head.subarray(0, HEAD_BYTES);
  return FORMAT_READERS.find((reader) => reader.recognises(beginning));
}

/** What a file is that is no log of flows as it lies there, where that can be seen: `Parquet`. */
export function otherKind(head: Uint8Array): string | undefined {
  const begins = (text: string): boolean =>
    [...text].every((char, at) => head[at] === char.charCodeAt(0));
  if (begins("PAR1")) return "Parquet";
  if (begins("PK\u0003\u0004")) return "a zip archive";
  if (begins("SQLite format 3")) return "an SQLite database";
  return undefined;
}
