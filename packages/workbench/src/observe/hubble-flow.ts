/**
 * A flow as Hubble writes it (`observe -o jsonpb`): a GetFlowsResponse with the field names of Cilium's public flow.proto,
 * for tools that read those. What we do not know (identity numbers, pods, TCP flags) is absent, not made up.
 */
import {
  familyOf,
  ICMP,
  ICMPV6,
  SCTP,
  TCP,
  UDP,
  type Flow,
  type FlowEnd,
  type FlowVerdict,
} from "@bulkhead/model";

export interface HubbleResponse {
  readonly flow: HubbleFlow;
  readonly node_name?: string;
  readonly time: string;
}

export interface HubbleFlow {
  readonly time: string;
  readonly verdict: "FORWARDED" | "DROPPED" | "AUDIT" | "ERROR";
  /** The number of `drop_reason_desc`: deprecated there, and still read by many. */
  readonly drop_reason?: number;
  readonly IP: {
    readonly source: string;
    readonly destination: string;
    readonly ipVersion: "IPv4" | "IPv6";
  };
  readonly l4?: HubbleLayer4;
  readonly source: HubbleEndpoint;
  readonly destination: HubbleEndpoint;
  readonly Type: "L3_L4";
  readonly node_name?: string;
  /** What DNS called the ends, as the other one had it. */
  readonly source_names?: readonly string[];
  readonly destination_names?: readonly string[];
  readonly traffic_direction?: "INGRESS" | "EGRESS";
  readonly drop_reason_desc?: "INVALID_SOURCE_IP" | "POLICY_DENIED";
  /** A flow of ours is told from the side that began it. */
  readonly is_reply: false;
  readonly egress_denied_by?: readonly HubblePolicy[];
  readonly ingress_denied_by?: readonly HubblePolicy[];
}

export interface HubbleEndpoint {
  readonly namespace?: string;
  /** `app=web`; `reserved:world` and `reserved:host`, as Hubble names these two. */
  readonly labels?: readonly string[];
  readonly workloads?: readonly { readonly name: string }[];
}

export interface HubblePolicy {
  readonly name: string;
  readonly namespace?: string;
  readonly kind: string;
}

interface Ports {
  readonly source_port?: number;
  readonly destination_port: number;
}
interface IcmpType {
  readonly type: number;
  readonly code: number;
}
export type HubbleLayer4 =
  | { readonly TCP: Ports }
  | { readonly UDP: Ports }
  | { readonly SCTP: Ports }
  | { readonly ICMPv4: IcmpType }
  | { readonly ICMPv6: IcmpType };

const VERDICTS: Readonly<Record<FlowVerdict, HubbleFlow["verdict"]>> = {
  forwarded: "FORWARDED",
  audit: "AUDIT",
  dropped: "DROPPED",
  // Hubble has one word for what does not pass, whether the sender is told or not.
  rejected: "DROPPED",
  spoofed: "DROPPED",
  error: "ERROR",
};

export function hubbleFlow(flow: Flow): HubbleResponse {
  const { source, destination, direction } = flow;
  const node = flow.node === undefined ? {} : { node_name: flow.node };
  const time = new Date(flow.start).toISOString();
  const l4 = layer4(flow);
  return {
    flow: {
      time,
      verdict: VERDICTS[flow.verdict],
      ...dropReason(flow),
      IP: {
        source: source.address,
        destination: destination.address,
        ipVersion: familyOf(source.address) === 4 ? "IPv4" : "IPv6",
      },
      ...(l4 === undefined ? {} : { l4 }),
      source: endpoint(source),
      destination: endpoint(destination),
      Type: "L3_L4",
      ...node,
      ...(source.names === undefined ? {} : { source_names: source.names }),
      ...(destination.names === undefined ? {} : { destination_names: destination.names }),
      ...(direction === undefined
        ? {}
        : { traffic_direction: direction === "ingress" ? "INGRESS" : "EGRESS" }),
      is_reply: false,
      ...deniedBy(flow),
    },
    ...node,
    time,
  };
}

/** Numbers of flow.proto's DropReason. Only what a policy or the check of sources dropped: of the rest we know no reason. */
function dropReason(flow: Flow): Pick<HubbleFlow, "drop_reason" | "drop_reason_desc"> {
  if (flow.verdict === "spoofed") {
    return { drop_reason: 132, drop_reason_desc: "INVALID_SOURCE_IP" };
  }
  const denied = flow.verdict === "dropped" || flow.verdict === "rejected";
  return denied && (flow.rule !== undefined || flow.cookie !== undefined)
    ? { drop_reason: 133, drop_reason_desc: "POLICY_DENIED" }
    : {};
}

function layer4({ protocol, port, sourcePort }: Flow): HubbleLayer4 | undefined {
  const ports: Ports = {
    ...(sourcePort === 0 ? {} : { source_port: sourcePort }),
    destination_port: port,
  };
  const icmp: IcmpType = { type: port >> 8, code: port & 255 };
  switch (protocol) {
    case TCP:
      return { TCP: ports };
    case UDP:
      return { UDP: ports };
    case SCTP:
      return { SCTP: ports };
    case ICMP:
      return { ICMPv4: icmp };
    case ICMPV6:
      return { ICMPv6: icmp };
    default:
      return undefined;
  }
}

function endpoint({ name, workload, labels }: FlowEnd): HubbleEndpoint {
  if (workload === undefined) {
    return name === "world" || name === "host" ? { labels: [`reserved:${name}`] } : {};
  }
  const slash = workload.indexOf("/");
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return {
    ...(slash < 0 ? {} : { namespace: workload.slice(0, slash) }),
    ...(texts.length === 0 ? {} : { labels: texts.toSorted() }),
    workloads: [{ name: workload.slice(slash + 1) }],
  };
}

/** `Policy/shop/db#ingress` is what denied: the resource, in the direction it was asked for. */
function deniedBy({
  verdict,
  rule,
  direction,
}: Flow): Pick<HubbleFlow, "egress_denied_by" | "ingress_denied_by"> {
  const denies = verdict === "dropped" || verdict === "rejected" || verdict === "audit";
  if (!denies || rule === undefined || direction === undefined) return {};
  const [kind = "", ...names] = (rule.split("#")[0] ?? "").split("/");
  const name = names.pop();
  if (name === undefined) return {};
  const namespace = names.join("/");
  const policy = { name, ...(namespace === "" ? {} : { namespace }), kind };
  return direction === "egress" ? { egress_denied_by: [policy] } : { ingress_denied_by: [policy] };
}
