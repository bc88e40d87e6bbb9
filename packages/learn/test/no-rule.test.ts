import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge } from "./shop.ts";
import { asideOf, inventory, rulesOf } from "./told.ts";

describe("what needs no rule", () => {
  it.each([
    ["from-host", edge("host", "web", "80/tcp")],
    ["itself", edge("web", "web", "80/tcp")],
    ["not-a-workload", edge("203.0.113.1", "host", "22/tcp")],
    [
      "neighbour-discovery",
      { ...edge("web", "db", "0/tcp", {}, 6), protocol: 58, port: 135 * 256 },
    ],
  ])("%s", (reason, one) => {
    const { exempt, setAside, rules } = suggest([one], inventory);
    expect(exempt).toEqual([{ edge: one, reason }]);
    expect([...setAside, ...rules]).toEqual([]);
  });

  it("is no service: a response on a high port, a few pings, a broadcast", () => {
    const request = edge("web", "db", "5432/tcp");
    const answer = edge("db", "web", "49152/tcp", { windows: 2, connections: 2 });
    expect(
      asideOf([
        request,
        answer,
        edge("web", "cache", "2048/icmp", { windows: 2, connections: 2 }),
        edge("web", "224.0.0.251", "5353/udp"),
        edge("web", "255.255.255.255", "6000/udp", {
          destination: { address: "255.255.255.255", name: "broadcast", labels: {} },
        }),
      ]),
    ).toEqual([
      "ephemeral: shop/db → shop/web 49152",
      "multicast: shop/web → broadcast 6000",
      "ping: shop/web → shop/cache 2048",
      "multicast: shop/web → world 5353",
    ]);
  });

  it("keeps a service on a high port, and sets a spray of high ports aside", () => {
    expect(rulesOf([edge("web", "db", "40000/tcp")])).toHaveLength(1);
    const spray = [40_001, 40_002, 40_003, 40_004, 40_005].map((port) =>
      edge("web", "db", `${port}/tcp`, { windows: 2, connections: 2 }),
    );
    expect(new Set(asideOf(spray).map((text) => text.split(":")[0]))).toEqual(
      new Set(["ephemeral"]),
    );
  });
});
