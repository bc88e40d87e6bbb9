/** A little of each format, written anew: fields and their meaning are those of the pages that each reader names. */
import type { FlowFormat } from "@bulkhead/model";

export interface Sample {
  readonly name: string;
  readonly format: FlowFormat;
  readonly text: string | Uint8Array;
}

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join("");
const json = (...all: readonly unknown[]): string =>
  lines(...all.map((one) => JSON.stringify(one)));

const pod = (namespace: string, name: string, app: string) => ({
  namespace,
  pod_name: name,
  labels: [`k8s:app=${app}`],
});
const packet = (reply: boolean) => ({
  flow: {
    time: "2026-03-31T17:00:00.5Z",
    verdict: "FORWARDED",
    IP: { source: reply ? "10.1.0.6" : "10.1.0.5", destination: reply ? "10.1.0.5" : "10.1.0.6" },
    l4: {
      TCP: {
        source_port: reply ? 5432 : 40_000,
        destination_port: reply ? 40_000 : 5432,
        flags: reply ? { SYN: true, ACK: true } : { SYN: true },
      },
    },
    source: reply ? pod("shop", "db-0", "db") : pod("shop", "web-1", "web"),
    destination: reply ? pod("shop", "web-1", "web") : pod("shop", "db-0", "db"),
    Type: "L3_L4",
    is_reply: reply,
  },
});

const own = {
  start: 1_760_000_000_000,
  end: 1_760_000_000_400,
  source: { address: "10.1.0.5", workload: "shop/web", name: "shop/web", labels: { app: "web" } },
  destination: { address: "203.0.113.7", name: "world", labels: {}, names: ["api.example.com"] },
  protocol: 6,
  port: 443,
  sourcePort: 40_000,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1200,
  packets: 9,
};

export const SAMPLES: readonly Sample[] = [
  { name: "Hubble", format: "hubble", text: json(packet(false), packet(true)) },
  { name: "our own flows", format: "bulkhead", text: json(own, { ...own, port: 80 }) },
  {
    name: "AWS, default fields",
    format: "aws-vpc",
    text: lines(
      "2 210987654321 eni-0a1b2c3d4e5f60718 10.0.1.5 10.0.2.6 40112 5432 6 12 3400 1760000000 1760000058 ACCEPT OK",
      "2 210987654321 eni-0a1b2c3d4e5f60718 2001:db8::5 2001:db8::6 40112 22 6 1 40 1760000000 1760000058 REJECT OK",
    ),
  },
  {
    name: "AWS, fields of a header",
    format: "aws-vpc",
    text: lines(
      "version vpc-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action tcp-flags",
      "5 vpc-01 eni-0a1b 10.0.1.5 10.0.2.6 40112 5432 6 12 3400 1760000000 1760000058 ACCEPT 2",
    ),
  },
];
