/**
 * One line of Hubble's flow export (`hubble observe -o jsonpb`, or the flow alone) as what it tells of a connection. Only
 * fields that decide anything are read, each with its type checked: the export is somebody else's.
 */
import {
  canonicalIp,
  ICMP,
  ICMPV6,
  SCTP,
  TCP,
  UDP,
  type FlowEnd,
  type FlowVerdict,
  type IpAddress,
  type Labels,
} from "@bulkhead/model";
import { NO_LABELS } from "../shared/ends.ts";
import type { ToldPacket } from "../shared/packet-flows.ts";
import {
  countOf,
  fieldsOf,
  isHarmless,
  isPlain,
  listOf,
  parseFields,
  portOf,
  textOf,
  textsOf,
  timeOf,
  type Fields,
} from "../shared/values.ts";

export type HubbleRecord =
  | { readonly kind: "packet"; readonly packet: ToldPacket }
  /** A DNS answer: these addresses stood for the name, for this client. */
  | {
      readonly kind: "answer";
      readonly time: number;
      readonly client: IpAddress;
      readonly name: string;
      readonly addresses: readonly IpAddress[];
    }
  /** Events that Hubble itself lost: the picture has holes. */
  | { readonly kind: "lost"; readonly events: number }
  /** Well-formed, and nothing to learn a rule from. */
  | { readonly kind: "other"; readonly what: string }
  | { readonly kind: "malformed"; readonly problem: string };

export function readHubbleLine(line: string): HubbleRecord {
  const outer = parseFields(line);
  if (typeof outer === "string") return { kind: "malformed", problem: outer };
  const lost = fieldsOf(outer["lost_events"]);
  if (lost !== undefined) return { kind: "lost", events: countOf(lost["num_events_lost"]) ?? 1 };
  const event = ["node_status", "agent_event", "debug_event"].find((name) => name in outer);
  if (event !== undefined) return { kind: "other", what: event };
  const flow = "flow" in outer ? fieldsOf(outer["flow"]) : outer;
  if (flow === undefined) return { kind: "malformed", problem: "`flow` is not an object" };
  return readFlow(flow, timeOf(flow["time"] ?? outer["time"]));
}

function readFlow(flow: Fields, time: number | undefined): HubbleRecord {
  if (time === undefined) return { kind: "malformed", problem: "no `time`" };
  const ip = fieldsOf(flow["IP"]);
  const from = canonicalIp(textOf(ip?.["source"]) ?? "");
  const to = canonicalIp(textOf(ip?.["destination"]) ?? "");
  if (from === null || to === null) return { kind: "malformed", problem: "no `IP` addresses" };
  const dns = fieldsOf(fieldsOf(flow["l7"])?.["dns"]);
  if (dns !== undefined) return readAnswer(dns, to, time);
  if (flow["Type"] === "L7") return { kind: "other", what: "a request" };
  const verdict = verdictOf(flow);
  if (verdict === undefined) return { kind: "other", what: otherVerdict(flow["verdict"]) };
  const layer = layer4(fieldsOf(flow["l4"]));
  if (layer === undefined) return { kind: "other", what: "no ports" };
  const reply = isReply(flow, layer, verdict);
  if (reply === undefined) return { kind: "other", what: "a direction that cannot be told" };
  const source = endOf(from, fieldsOf(flow["source"]), textsOf(flow["source_names"]));
  const destination = endOf(to, fieldsOf(flow["destination"]), textsOf(flow["destination_names"]));
  if (!isHarmless(source) || !isHarmless(destination)) {
    return { kind: "malformed", problem: "a name or label with control characters" };
  }
  const turned = reply ? turn(layer) : layer;
  return {
    kind: "packet",
    packet: {
      time,
      source: reply ? destination : source,
      destination: reply ? source : destination,
      protocol: turned.protocol,
      port: turned.port,
      sourcePort: turned.sourcePort,
      verdict,
      shows: showsOf(layer, reply),
    },
  };
}

function otherVerdict(verdict: unknown): string {
  const isWord = typeof verdict === "string" && /^\w{1,30}$/.test(verdict);
  return isWord || typeof verdict === "number" ? `verdict ${verdict}` : "no verdict";
}

function readAnswer(dns: Fields, client: IpAddress, time: number): HubbleRecord {
  const name = (textOf(dns["query"]) ?? "").toLowerCase().replace(/\.$/, "");
  const addresses = textsOf(dns["ips"]).flatMap((ip) => canonicalIp(ip) ?? []);
  if (name === "" || !isPlain(name) || addresses.length === 0)
    return { kind: "other", what: "a DNS message" };
  return { kind: "answer", time, client, name, addresses };
}

/** Names of flow.proto's Verdict, and its numbers. */
const VERDICTS: ReadonlyMap<string, FlowVerdict> = new Map([
  ["FORWARDED", "forwarded"],
  ["1", "forwarded"],
  ["DROPPED", "dropped"],
  ["2", "dropped"],
  ["ERROR", "error"],
  ["3", "error"],
  ["AUDIT", "audit"],
  ["4", "audit"],
  // To a proxy that looks into it, and lets it through or answers for itself.
  ["REDIRECTED", "forwarded"],
  ["5", "forwarded"],
]);
/** DropReason INVALID_SOURCE_IP. */
const INVALID_SOURCE = 132;

function verdictOf(flow: Fields): FlowVerdict | undefined {
  const told = flow["verdict"];
  const verdict =
    typeof told === "string" || typeof told === "number" ? VERDICTS.get(`${told}`) : undefined;
  const forged =
    flow["drop_reason_desc"] === "INVALID_SOURCE_IP" || flow["drop_reason"] === INVALID_SOURCE;
  return verdict === "dropped" && forged ? "spoofed" : verdict;
}

interface Layer4 {
  readonly protocol: number;
  readonly port: number;
  readonly sourcePort: number;
  readonly flags: Fields;
}

const WITH_PORTS = { TCP, UDP, SCTP } as const;
const WITH_TYPES = { ICMPv4: ICMP, ICMPv6: ICMPV6 } as const;

function layer4(l4: Fields | undefined): Layer4 | undefined {
  for (const [name, protocol] of Object.entries(WITH_PORTS)) {
    const one = fieldsOf(l4?.[name]);
    const port = portOf(one?.["destination_port"]);
    if (one === undefined || port === undefined) continue;
    const sourcePort = portOf(one["source_port"]) ?? 0;
    return { protocol, port, sourcePort, flags: fieldsOf(one["flags"]) ?? {} };
  }
  for (const [name, protocol] of Object.entries(WITH_TYPES)) {
    const one = fieldsOf(l4?.[name]);
    if (one === undefined) continue;
    const port = (countOf(one["type"]) ?? 0) * 256 + (countOf(one["code"]) ?? 0);
    return { protocol, port, sourcePort: 0, flags: {} };
  }
  return undefined;
}

/** Types of echo replies (RFC 792, RFC 4443), and of the requests they answer. */
const ECHO: Readonly<Record<number, number>> = { [0]: 8 * 256, [129 * 256]: 128 * 256 };

function isEchoReply({ protocol, port }: Layer4): boolean {
  return (protocol === ICMP && port === 0) || (protocol === ICMPV6 && port === 129 * 256);
}

function turn({ protocol, port, sourcePort, flags }: Layer4): Layer4 {
  if (protocol === ICMP || protocol === ICMPV6) {
    return { protocol, port: ECHO[port] ?? port, sourcePort, flags };
  }
  return { protocol, port: sourcePort, sourcePort: port, flags };
}

/** Hubble says so itself, but for what it dropped and what it could not follow. */
function isReply(flow: Fields, layer: Layer4, verdict: FlowVerdict): boolean | undefined {
  if (typeof flow["is_reply"] === "boolean") return flow["is_reply"];
  if (layer.protocol === TCP) {
    const { SYN, ACK } = layer.flags;
    if (SYN === true) return ACK === true;
    return verdict === "forwarded" ? undefined : false;
  }
  return isEchoReply(layer);
}

function showsOf({ protocol, flags }: Layer4, reply: boolean): ToldPacket["shows"] {
  const { SYN, ACK, RST } = flags;
  if (reply) return RST === true ? "refused" : "answered";
  if (protocol !== TCP) return "opened";
  if (SYN === true) return "opened";
  // Whoever opened a connection sends more only when it was answered.
  return ACK === true && RST !== true ? "answered" : "more";
}

function endOf(address: IpAddress, end: Fields | undefined, names: readonly string[]): FlowEnd {
  const labels = textsOf(end?.["labels"]);
  const namespace = textOf(end?.["namespace"]) ?? "";
  const [workload] = listOf(end?.["workloads"]);
  const pod = textOf(end?.["pod_name"]) ?? textOf(fieldsOf(workload)?.["name"]) ?? "";
  if (namespace !== "" && pod !== "") {
    const id = `${namespace}/${pod}`;
    return { address, workload: id, name: id, labels: labelsOf(labels) };
  }
  if (labels.includes("reserved:host")) return { address, name: "host", labels: NO_LABELS };
  const known = names.map((name) => name.toLowerCase().replace(/\.$/, "")).toSorted();
  const outside = { address, name: "world", labels: NO_LABELS };
  return known.length === 0 ? outside : { ...outside, names: [...new Set(known)] };
}

/** Cilium's own, which say where a workload lives and not what it is. */
const CILIUMS = /^(io\.cilium\.|io\.kubernetes\.pod\.|reserved$)/;

/** `k8s:app=web`: where a label comes from stands before it. */
function labelsOf(texts: readonly string[]): Labels {
  const entries = texts.flatMap((label): [string, string][] => {
    const plain = label.replace(/^[a-z0-9-]+:(?=[^=]*(=|$))/, "");
    const at = plain.indexOf("=");
    const key = at < 0 ? plain : plain.slice(0, at);
    return CILIUMS.test(key) || key === "" ? [] : [[key, at < 0 ? "" : plain.slice(at + 1)]];
  });
  return Object.fromEntries(entries);
}
