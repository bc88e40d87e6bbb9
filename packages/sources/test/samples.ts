/** A little of each format, written anew: fields and their meaning are those of the pages that each reader names. */
import type { FlowFormat } from "@bulkhead/model";
import { HANDSHAKE, pcapngOf, pcapOf } from "./captures.ts";

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

const gcp = (from: string, to: string, ports: readonly [number, number], more: object = {}) => ({
  insertId: "1x",
  logName: "projects/shop/logs/compute.googleapis.com%2Fvpc_flows",
  jsonPayload: {
    connection: {
      src_ip: from,
      dest_ip: to,
      src_port: ports[0],
      dest_port: ports[1],
      protocol: 6,
    },
    start_time: "2026-01-05T10:00:00.100000000Z",
    end_time: "2026-01-05T10:00:04.900000000Z",
    bytes_sent: "1200",
    packets_sent: "4",
    reporter: "SRC",
    ...more,
  },
  timestamp: "2026-01-05T10:00:10Z",
});

export const GCP = [
  gcp("10.4.0.5", "10.4.0.9", [40_100, 5432], {
    src_gke_details: {
      cluster: { cluster_name: "main" },
      pod: { pod_namespace: "shop", pod_name: "web-1" },
    },
    dest_instance: { project_id: "shop", vm_name: "db-vm", zone: "europe-west1-b" },
  }),
  gcp("10.4.0.9", "10.4.0.5", [5432, 40_100]),
];

export const AZURE_GROUP = {
  records: [
    {
      time: "2026-01-05T10:00:30.1234567Z",
      systemId: "5d1c",
      macAddress: "000D3A000001",
      category: "NetworkSecurityGroupFlowEvent",
      resourceId: "/SUBSCRIPTIONS/X",
      operationName: "NetworkSecurityGroupFlowEvents",
      properties: {
        Version: 2,
        flows: [
          {
            rule: "DefaultRule_AllowInternetOutBound",
            flows: [
              {
                mac: "000D3A000001",
                flowTuples: [
                  "1767607200,10.0.0.4,203.0.113.9,44931,443,T,O,A,B,,,,",
                  "1767607230,10.0.0.4,203.0.113.9,44931,443,T,O,A,E,7,900,5,4200",
                  "1767607231,198.51.100.7,10.0.0.4,51000,22,T,I,D,B,,,,",
                ],
              },
            ],
          },
        ],
      },
    },
  ],
};

export const AZURE_NETWORK = {
  records: [
    {
      time: "2026-01-05T10:00:52Z",
      flowLogVersion: 4,
      macAddress: "000D3A000002",
      category: "FlowLogFlowEvent",
      flowRecords: {
        flows: [
          {
            aclID: "a",
            flowGroups: [
              {
                rule: "r",
                flowTuples: [
                  "1767607203599,10.0.0.6,192.0.2.180,23956,53,17,O,B,NX,0,0,0,0",
                  "1767607203699,10.0.0.6,192.0.2.180,23956,53,17,O,E,NX,1,70,1,140",
                  "1767607203799,198.51.100.7,10.0.0.6,40000,8080,6,I,D,NX,0,0,0,0",
                ],
              },
            ],
          },
        ],
      },
    },
  ],
};

export const calicoFlow = (more: object = {}) => ({
  start_time: 1_767_607_200,
  end_time: 1_767_607_215,
  source_ip: "10.48.0.5",
  source_name: "web-1",
  source_name_aggr: "web-*",
  source_namespace: "shop",
  source_port: null,
  source_type: "wep",
  source_labels: { labels: ["app=web"] },
  dest_ip: "10.48.0.9",
  dest_name: "-",
  dest_name_aggr: "db-*",
  dest_namespace: "shop",
  dest_port: 5432,
  dest_type: "wep",
  dest_labels: { labels: ["app=db"] },
  proto: "tcp",
  action: "allow",
  reporter: "src",
  num_flows: 3,
  num_flows_started: 2,
  num_flows_completed: 1,
  packets_in: 10,
  packets_out: 12,
  bytes_in: 1000,
  bytes_out: 800,
  host: "node-1",
  ...more,
});

const ZEEK_FIELDS =
  "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes";
const tabs = (text: string): string => text.replaceAll(" ", "\t");

export const SAMPLES: readonly Sample[] = [
  {
    name: "Zeek, tab-separated",
    format: "zeek",
    text: lines(
      String.raw`#separator \x09`,
      "#set_separator\t,",
      "#empty_field\t(empty)",
      "#unset_field\t-",
      "#path\tconn",
      `#fields\t${tabs(ZEEK_FIELDS)}`,
      tabs(
        "1767607200.250000 Cabc 10.0.1.5 40112 10.0.2.6 5432 tcp - 1.5 100 200 SF ShADadFf 6 412 4 408",
      ),
      tabs("1767607201.000000 Cabd 10.0.1.5 40113 10.0.2.7 81 tcp - - - - REJ Sr 1 60 1 40"),
      tabs("1767607202.000000 Cabe 10.0.1.5 8 10.0.2.8 0 icmp - - 56 56 OTH - 1 84 1 84"),
      "#close\t2026-01-05-10-01-00",
    ),
  },
  {
    name: "Zeek, JSON",
    format: "zeek",
    text: json({
      ts: 1_767_607_200.25,
      uid: "Cabc",
      "id.orig_h": "2001:db8::5",
      "id.orig_p": 40_112,
      "id.resp_h": "2001:db8::6",
      "id.resp_p": 53,
      proto: "udp",
      duration: 0.02,
      orig_bytes: 40,
      resp_bytes: 80,
      conn_state: "SF",
      history: "Dd",
      orig_pkts: 1,
      resp_pkts: 1,
    }),
  },
  {
    name: "Envoy, the default text",
    format: "envoy",
    text: lines(
      '[2026-01-05T10:00:00.250Z] "POST /charge?card=4111 HTTP/1.1" 200 - 120 14 30 28 "198.51.100.9,10.0.1.5" "curl/8.5 \\"x\\"" "7c1e" "payments.shop" "10.0.2.6:8080"',
      '[2026-01-05T10:00:01.000Z] "GET / HTTP/2" 503 UF 0 91 3 - "10.0.1.5" "-" "7c1f" "payments.shop" "10.0.2.7:8080"',
    ),
  },
  {
    name: "Envoy, Istio's text",
    format: "envoy",
    text: lines(
      '[2026-01-05T10:00:00.250Z] "GET /status/418 HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8.5" "84961386" "httpbin:8000" "-" inbound|8000|| - 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin default',
      '[2026-01-05T10:00:01.000Z] "- - -" 0 - - - "-" 1024 4096 900 - "-" "-" "-" "-" "10.44.1.30:5432" outbound|5432||db 10.44.1.23:40000 10.0.45.184:5432 10.44.1.23:46520 - -',
    ),
  },
  {
    name: "Envoy, JSON",
    format: "envoy",
    text: json({
      start_time: "2026-01-05T10:00:00.250Z",
      method: "GET",
      path: "/cart#top",
      protocol: "HTTP/1.1",
      response_code: 200,
      response_flags: "-",
      bytes_received: 0,
      bytes_sent: 512,
      duration: 12,
      authority: "cart.shop",
      upstream_host: "127.0.0.1:8080",
      downstream_local_address: "10.44.1.27:80",
      downstream_remote_address: "[2001:db8::23]:37652",
    }),
  },
  { name: "GCP, JSON Lines", format: "gcp-vpc", text: json(...GCP) },
  { name: "GCP, an array", format: "gcp-vpc", text: `${JSON.stringify(GCP, null, 2)}\n` },
  {
    name: "Azure, network security groups",
    format: "azure-nsg",
    text: JSON.stringify(AZURE_GROUP),
  },
  {
    name: "Azure, virtual networks",
    format: "azure-nsg",
    text: JSON.stringify(AZURE_NETWORK, null, 4),
  },
  { name: "Calico", format: "calico", text: json(calicoFlow(), calicoFlow({ reporter: "dst" })) },
  {
    name: "conntrack, a listing",
    format: "conntrack",
    text: lines(
      "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.1.5 dst=10.96.0.10 sport=40112 dport=443 packets=10 bytes=1200 src=10.0.2.6 dst=10.0.1.5 sport=8443 dport=40112 packets=8 bytes=4000 [ASSURED] mark=0 use=1",
      "udp      17 29 src=10.0.1.5 dst=10.0.2.53 sport=50000 dport=53 [UNREPLIED] src=10.0.2.53 dst=10.0.1.5 sport=53 dport=50000 mark=0 use=1",
      "icmp     1 29 src=10.0.1.5 dst=10.0.2.8 type=8 code=0 id=7 src=10.0.2.8 dst=10.0.1.5 type=0 code=0 id=7 mark=0 use=1",
    ),
  },
  {
    name: "conntrack, events with times",
    format: "conntrack",
    text: lines(
      "[1767607200.250000]\t    [NEW] ipv4     2 tcp      6 120 SYN_SENT src=10.0.1.5 dst=10.0.2.6 sport=40112 dport=5432 [UNREPLIED] src=10.0.2.6 dst=10.0.1.5 sport=5432 dport=40112",
      "[1767607200.260000]\t [UPDATE] ipv4     2 tcp      6 432000 ESTABLISHED src=10.0.1.5 dst=10.0.2.6 sport=40112 dport=5432 src=10.0.2.6 dst=10.0.1.5 sport=5432 dport=40112 [ASSURED]",
      "[1767607230.000000]\t[DESTROY] ipv4     2 tcp      6 src=10.0.1.5 dst=10.0.2.6 sport=40112 dport=5432 packets=9 bytes=900 src=10.0.2.6 dst=10.0.1.5 sport=5432 dport=40112 packets=7 bytes=3000 [ASSURED]",
    ),
  },
  { name: "a capture, pcap", format: "pcap", text: pcapOf(HANDSHAKE) },
  { name: "a capture, pcapng", format: "pcap", text: pcapngOf(HANDSHAKE) },
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
