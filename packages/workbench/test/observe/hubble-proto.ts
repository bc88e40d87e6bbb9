/** Names of Cilium's public `api/v1/flow/flow.proto` and `observer.proto`: what a reader of Hubble's JSON knows. */

type Kind = "string" | "uint32" | "bool" | "time";
/** A message by its name, a list of one, an enumeration by its values, or a scalar. */
type Type = Kind | `${string}Message` | readonly [Type] | { readonly oneOf: readonly string[] };

const text = "string";

export const MESSAGES: Readonly<Record<string, Readonly<Record<string, Type>>>> = {
  GetFlowsResponseMessage: { flow: "FlowMessage", node_name: text, time: "time" },
  FlowMessage: {
    time: "time",
    uuid: text,
    verdict: {
      oneOf: ["FORWARDED", "DROPPED", "ERROR", "AUDIT", "REDIRECTED", "TRACED", "TRANSLATED"],
    },
    drop_reason: "uint32",
    IP: "IPMessage",
    l4: "Layer4Message",
    source: "EndpointMessage",
    destination: "EndpointMessage",
    Type: { oneOf: ["L3_L4", "L7", "SOCK"] },
    node_name: text,
    source_names: [text],
    destination_names: [text],
    traffic_direction: { oneOf: ["INGRESS", "EGRESS"] },
    drop_reason_desc: { oneOf: ["INVALID_SOURCE_IP", "POLICY_DENIED", "POLICY_DENY"] },
    is_reply: "bool",
    egress_allowed_by: ["PolicyMessage"],
    ingress_allowed_by: ["PolicyMessage"],
    egress_denied_by: ["PolicyMessage"],
    ingress_denied_by: ["PolicyMessage"],
    Summary: text,
  },
  IPMessage: {
    source: text,
    destination: text,
    ipVersion: { oneOf: ["IPv4", "IPv6"] },
    encrypted: "bool",
  },
  Layer4Message: {
    TCP: "PortsMessage",
    UDP: "PortsMessage",
    SCTP: "PortsMessage",
    ICMPv4: "IcmpMessage",
    ICMPv6: "IcmpMessage",
  },
  PortsMessage: { source_port: "uint32", destination_port: "uint32" },
  IcmpMessage: { type: "uint32", code: "uint32" },
  EndpointMessage: {
    ID: "uint32",
    identity: "uint32",
    namespace: text,
    labels: [text],
    pod_name: text,
    workloads: ["WorkloadMessage"],
  },
  WorkloadMessage: { name: text, kind: text },
  PolicyMessage: { name: text, namespace: text, labels: [text], revision: text, kind: text },
};

/** Everything in a value that such a reader would refuse, with its path. */
export function refused(value: unknown, type: Type, path = ""): readonly string[] {
  const ok = (good: boolean): readonly string[] =>
    good ? [] : [`${path}: ${JSON.stringify(value)} is no ${JSON.stringify(type)}`];
  if (Array.isArray(type)) {
    const [item] = type as readonly [Type];
    return Array.isArray(value)
      ? value.flatMap((one, index) => refused(one, item, `${path}[${index}]`))
      : ok(false);
  }
  if (typeof type === "object" && "oneOf" in type) return ok(type.oneOf.includes(value as string));
  if (type === "string") return ok(typeof value === "string");
  if (type === "bool") return ok(typeof value === "boolean");
  if (type === "uint32") return ok(Number.isInteger(value) && Number(value) >= 0);
  if (type === "time") {
    return ok(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(String(value)));
  }
  const fields = MESSAGES[String(type)];
  if (fields === undefined || typeof value !== "object" || value === null) return ok(false);
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = fields[key];
    return known === undefined
      ? [`${path}.${key} is no field`]
      : refused(inner, known, `${path}.${key}`);
  });
}
