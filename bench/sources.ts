/**
 * What reading recorded flows costs, format by format: from bytes to flows, ends named from a table of ten thousand addresses,
 * folded into edges. The peer is the least that any reader of the format does: splitting lines and decoding them, or parsing
 * the JSON of each; for captures, walking from packet to packet. Rates are by the processor time of the reading thread.
 */
import type { FlowEnd, FlowFormat } from "@bulkhead/model";
import { readerOf } from "@bulkhead/sources";
import { createFlowFold } from "@bulkhead/workbench/observe";
import { absolute, compared, type Figure } from "./figure.ts";

const RECORDS = 100_000;
const ROUNDS = 5;
/** Processor time of one sample, at least. */
const ENOUGH_US = 20_000;
/** Records a second, a core. */
const AIM = 500_000;
const PIECE = 262_144;
const AT = 1_760_000_000;

interface Source {
  readonly format: FlowFormat;
  readonly peer: "lines" | "JSON.parse" | "records";
  readonly bytes: Uint8Array;
}

const lines = (line: (n: number) => string): Uint8Array =>
  new TextEncoder().encode(Array.from({ length: RECORDS }, (_, n) => `${line(n)}\n`).join(""));

const from = (n: number): string => `10.1.${(n * 7) % 40}.${(n * 13) % 250}`;
const to = (n: number): string => `10.2.${n % 4}.${(n * 3) % 250}`;
const PORTS = [443, 5432, 8080, 6379, 53] as const;
const port = (n: number): number => PORTS[n % PORTS.length] ?? 443;
const sourcePort = (n: number): number => 32_768 + ((n * 17) % 28_000);
const seconds = (n: number): number => AT + Math.floor(n / 500);

const hubble = (n: number): string => {
  const time = new Date(seconds(n) * 1000).toISOString();
  const end = (ip: string, app: number) => ({
    ID: app,
    identity: 4000 + app,
    namespace: "shop",
    labels: [`k8s:app=a${app}`, "k8s:io.kubernetes.pod.namespace=shop", "k8s:tier=x"],
    pod_name: `a${app}-${ip}`,
  });
  return JSON.stringify({
    flow: {
      time,
      uuid: "c4b3",
      verdict: "FORWARDED",
      ethernet: { source: "76:82:ec:81:8b:77", destination: "82:ec:78:ef:54:ec" },
      IP: { source: from(n), destination: to(n), ipVersion: "IPv4" },
      l4: { TCP: { source_port: sourcePort(n), destination_port: port(n), flags: { SYN: true } } },
      source: end(from(n), n % 40),
      destination: end(to(n), n % 4),
      Type: "L3_L4",
      node_name: "n1",
      event_type: { type: 4, sub_type: 3 },
      traffic_direction: "EGRESS",
      is_reply: false,
    },
    node_name: "n1",
    time,
  });
};

const SOURCES: readonly Source[] = [
  {
    format: "aws-vpc",
    peer: "lines",
    bytes: lines(
      (n) =>
        `2 210987654321 eni-0a1b2c3d4e5f60718 ${from(n)} ${to(n)} ${sourcePort(n)} ${port(n)} 6 12 3400 ${seconds(n)} ${seconds(n) + 58} ACCEPT OK`,
    ),
  },
  {
    format: "zeek",
    peer: "lines",
    bytes: new TextEncoder().encode(
      `#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\tlocal_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\n${new TextDecoder().decode(
        lines(
          (n) =>
            `${seconds(n)}.857497\tCAcJw21BbVedgFnYH3\t${from(n)}\t${sourcePort(n)}\t${to(n)}\t${port(n)}\ttcp\tssl\t1.076967\t75\t178\tSF\tT\tT\t0\tShADadFf\t6\t412\t4\t408\t-`,
        ),
      )}`,
    ),
  },
  {
    format: "envoy",
    peer: "lines",
    bytes: lines(
      (n) =>
        `[${new Date(seconds(n) * 1000).toISOString()}] "GET /service/${n % 50}?q=1 HTTP/1.1" 200 - 0 89 5 4 "${from(n)}" "curl/7.54.0" "c219f6da-2b7f-483e-9ced-ec323d9330a9" "shop:8000" "${to(n)}:${port(n)}"`,
    ),
  },
  {
    format: "conntrack",
    peer: "lines",
    bytes: lines(
      (n) =>
        `ipv4     2 tcp      6 86393 ESTABLISHED src=${from(n)} dst=${to(n)} sport=${sourcePort(n)} dport=${port(n)} packets=9 bytes=900 src=${to(n)} dst=${from(n)} sport=${port(n)} dport=${sourcePort(n)} packets=7 bytes=700 [ASSURED] mark=0 use=2`,
    ),
  },
  { format: "hubble", peer: "JSON.parse", bytes: lines(hubble) },
  {
    format: "gcp-vpc",
    peer: "JSON.parse",
    bytes: lines((n) =>
      JSON.stringify({
        insertId: "ut8lbrffooxyw",
        jsonPayload: {
          bytes_sent: "1776",
          connection: {
            dest_ip: to(n),
            dest_port: port(n),
            protocol: 6,
            src_ip: from(n),
            src_port: sourcePort(n),
          },
          start_time: new Date(seconds(n) * 1000).toISOString(),
          end_time: new Date(seconds(n) * 1000 + 4000).toISOString(),
          packets_sent: "7",
          reporter: "SRC",
        },
        logName: "projects/shop/logs/compute.googleapis.com%2Fvpc_flows",
      }),
    ),
  },
  { format: "pcap", peer: "records", bytes: capture() },
];

function capture(): Uint8Array {
  const size = 16 + 54;
  const bytes = new Uint8Array(24 + RECORDS * size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa1b2c3d4, true);
  view.setUint32(20, 1, true);
  for (let n = 0; n < RECORDS; n += 1) {
    const at = 24 + n * size;
    view.setUint32(at, seconds(n), true);
    view.setUint32(at + 8, 54, true);
    view.setUint32(at + 12, 54, true);
    view.setUint16(at + 28, 0x0800);
    bytes.set([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6], at + 30);
    bytes.set(from(n).split(".").map(Number), at + 42);
    bytes.set(to(n).split(".").map(Number), at + 46);
    view.setUint16(at + 50, sourcePort(n));
    view.setUint16(at + 52, port(n));
    bytes[at + 63] = 2;
  }
  return bytes;
}

const pieces = function* (bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
};

/** Names of ten thousand addresses, as a controller has them. */
const names = new Map<string, FlowEnd>(
  Array.from({ length: 10_000 }, (_, n) => {
    const address = n < 5000 ? from(n) : to(n);
    return [address, { address, workload: `shop/w${n}`, name: `shop/w${n}`, labels: {} }];
  }),
);

function readAll({ format, bytes }: Source): number {
  const reader = readerOf(format);
  if (reader === undefined) throw new Error(`no reader of ${format}`);
  const fold = createFlowFold();
  const named = (end: FlowEnd): FlowEnd => names.get(end.address) ?? end;
  const opened = reader.open(
    {
      ...fold,
      flow: (flow) =>
        fold.flow({ ...flow, source: named(flow.source), destination: named(flow.destination) }),
    },
    { at: AT * 1000 },
  );
  for (const piece of pieces(bytes)) opened.push(piece);
  opened.end();
  return fold.result().flows;
}

function least({ peer, bytes }: Source): number {
  let seen = 0;
  if (peer === "records") {
    const view = new DataView(bytes.buffer);
    for (let at = 24; at < bytes.length; at += 16 + view.getUint32(at + 8, true)) seen += 1;
    return seen;
  }
  const decoder = new TextDecoder();
  let rest = "";
  for (const piece of pieces(bytes)) {
    const found = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = found.pop() ?? "";
    for (const line of found) seen += peer === "lines" ? 1 : Number(JSON.parse(line) !== null);
  }
  return seen;
}

export function benchSources(): Figure[] {
  return SOURCES.flatMap((source) => {
    const ours: number[] = [];
    const theirs: number[] = [];
    const rate = (work: (one: Source) => number): number => {
      const start = process.threadCpuUsage();
      // The least of some is over before the clock has moved.
      for (let times = 1; ; times += 1) {
        if (work(source) === 0) throw new Error(`${source.format} was not read`);
        const { user, system } = process.threadCpuUsage(start);
        if (user + system >= ENOUGH_US) return (times * RECORDS * 1_000_000) / (user + system);
      }
    };
    rate(readAll);
    for (let round = 0; round < ROUNDS; round += 1) {
      ours.push(rate(readAll));
      theirs.push(rate(least));
    }
    return [
      absolute(`sources/${source.format}, records`, "1/s", ours, { atLeast: AIM }),
      compared(`sources/${source.format}, beside its least`, "1/s", ours, source.peer, theirs),
    ];
  });
}
