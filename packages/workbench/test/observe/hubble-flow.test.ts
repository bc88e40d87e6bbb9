/** Flows in Hubble's words: its field names, its values, and nothing that we do not know. */
import { describe, expect, it } from "vitest";
import { ICMP, ICMPV6, SCTP, UDP, type FlowVerdict } from "@bulkhead/model";
import { hubbleFlow } from "../../src/observe/index.ts";
import { refused } from "./hubble-proto.ts";
import { cron, flow, front1, host, office, web, world } from "./seen.ts";

const denied = flow({
  verdict: "dropped",
  cookie: "0badcafe",
  direction: "ingress",
  rule: "Policy/shop/db#ingress",
});

it("says what a denied connection was", () => {
  expect(hubbleFlow(denied)).toEqual({
    flow: {
      time: "2026-03-31T11:59:58.500Z",
      verdict: "DROPPED",
      drop_reason: 133,
      IP: { source: "10.0.0.10", destination: "10.0.0.14", ipVersion: "IPv4" },
      l4: { TCP: { source_port: 40_000, destination_port: 5432 } },
      source: { namespace: "shop", labels: ["app=web"], workloads: [{ name: "web" }] },
      destination: {
        namespace: "shop",
        labels: ["app=db", "role=database"],
        workloads: [{ name: "db" }],
      },
      Type: "L3_L4",
      traffic_direction: "INGRESS",
      drop_reason_desc: "POLICY_DENIED",
      is_reply: false,
      ingress_denied_by: [{ name: "db", namespace: "shop", kind: "Policy" }],
    },
    time: "2026-03-31T11:59:58.500Z",
  });
});

it("tells names of DNS and the node where Hubble does", () => {
  const { flow: told, node_name } = hubbleFlow(
    flow({
      node: "n1",
      source: { ...web, names: ["web.example"] },
      destination: { ...world, names: ["a.example", "b.example"] },
    }),
  );
  expect([told.node_name, node_name]).toEqual(["n1", "n1"]);
  expect(told.source_names).toEqual(["web.example"]);
  expect(told.destination_names).toEqual(["a.example", "b.example"]);
});

describe("every flow", () => {
  const flows = [
    denied,
    flow({ verdict: "rejected", direction: "egress", rule: "Policy/guard#egress" }),
    flow({ verdict: "audit", direction: "egress", rule: "Intent/shop/a/b#egress" }),
    flow({ verdict: "spoofed" }),
    flow({ verdict: "error" }),
    flow({ verdict: "dropped" }),
    flow({ protocol: UDP, port: 53, sourcePort: 0 }),
    flow({ node: "n1", destination: { ...world, names: ["a.example"] } }),
    flow({ protocol: SCTP, port: 2905 }),
    flow({ protocol: ICMP, port: 0x0301 }),
    flow({ protocol: ICMPV6, port: 128 << 8, source: cron, destination: cron }),
    flow({ protocol: 47, port: 0 }),
    flow({ source: world, destination: host }),
    flow({ source: office, destination: front1 }),
  ];

  it.each(flows)("has fields of flow.proto only, $verdict $protocol", (one) => {
    expect(refused(hubbleFlow(one), "GetFlowsResponseMessage")).toEqual([]);
  });

  it("is caught by this test when it has others", () => {
    const { flow: inner, time } = hubbleFlow(denied);
    expect(refused({ flow: { ...inner, dropReason: 1 }, time }, "GetFlowsResponseMessage")).toEqual(
      [".flow.dropReason is no field"],
    );
    expect(
      refused({ flow: { ...inner, verdict: "REJECTED" }, time }, "GetFlowsResponseMessage"),
    ).toHaveLength(1);
  });
});

it.each<readonly [FlowVerdict, string, string | undefined]>([
  ["forwarded", "FORWARDED", undefined],
  ["audit", "AUDIT", undefined],
  ["rejected", "DROPPED", "POLICY_DENIED"],
  ["spoofed", "DROPPED", "INVALID_SOURCE_IP"],
  ["error", "ERROR", undefined],
])("%s is %s there", (verdict, word, reason) => {
  const told = hubbleFlow(flow({ verdict, rule: "Policy/shop/db#ingress" })).flow;
  expect([told.verdict, told.drop_reason_desc]).toEqual([word, reason]);
  // Not known in which direction: then not told by whose denial either.
  expect(told).not.toHaveProperty("traffic_direction");
  expect(told).not.toHaveProperty("ingress_denied_by");
});

it("leaves out what is not known", () => {
  expect(hubbleFlow(flow({ protocol: 47, port: 0 })).flow).not.toHaveProperty("l4");
  expect(hubbleFlow(flow({ verdict: "dropped" })).flow).not.toHaveProperty("drop_reason_desc");
  expect(hubbleFlow(flow({ sourcePort: 0 })).flow.l4).toEqual({ TCP: { destination_port: 5432 } });
  const ends = (source = web) => hubbleFlow(flow({ source })).flow.source;
  expect(ends(cron)).toEqual({ namespace: "ops", workloads: [{ name: "cron" }] });
  expect(ends(world)).toEqual({ labels: ["reserved:world"] });
  expect(ends(host)).toEqual({ labels: ["reserved:host"] });
  // A NetworkSet has no name among Hubble's identities.
  expect(ends(office)).toEqual({});
});

it("reads ICMP's type and code out of the port", () => {
  expect(hubbleFlow(flow({ protocol: ICMP, port: 0x0301 })).flow.l4).toEqual({
    ICMPv4: { type: 3, code: 1 },
  });
});
