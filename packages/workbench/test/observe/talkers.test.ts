/** Who talks most: sums by end, ranked, the rest counted. */
import { describe, expect, it } from "vitest";
import { topTalkers } from "../../src/observe/index.ts";
import { cron, db, edge, edges, mirror, NOON, web, world } from "./seen.ts";

const ranked = (by: Parameters<typeof topTalkers>[1], count = 0) =>
  topTalkers(edges, by, count).talkers.map((talker) => [talker.name, talker[by]]);

describe("talkers", () => {
  it("are ranked by bytes of both of their parts", () => {
    expect(ranked("bytes", 3)).toEqual([
      ["shop/web", 2_348_678],
      ['office "A" <&|#>\\', 2_345_678],
      ["shop/front-1", 8000],
    ]);
  });

  it("are ranked by what failed or was denied, those without left out", () => {
    expect(ranked("denied")).toEqual([
      ["shop/db", 3],
      ["ops/cron", 3],
    ]);
    expect(ranked("failed").map(([name]) => name)).toEqual([
      "shop/web",
      'office "A" <&|#>\\',
      "shop/db",
      "ops/cron",
    ]);
  });

  it("have every number of theirs", () => {
    const { talkers, total } = topTalkers(
      [
        edge(web, db, { bytes: 10, connections: 2, lastSeen: NOON - 5 }),
        edge(cron, web, { bytes: 5, connections: 3, failed: 1, verdict: "dropped" }),
        edge(web, web, { bytes: 1, connections: 4 }),
      ],
      "bytes",
      1,
    );
    expect(talkers).toEqual([
      {
        name: "shop/web",
        bytes: 16,
        packets: 120,
        connections: 9,
        begun: 6,
        received: 7,
        failed: 1,
        denied: 3,
        peers: 2,
        lastSeen: NOON,
      },
    ]);
    expect(total).toEqual({
      talkers: 3,
      bytes: 16,
      packets: 120,
      connections: 9,
      failed: 1,
      denied: 3,
    });
  });

  it("of the world are told apart by address, IPv4 and IPv6 of a workload are not", () => {
    const six = { ...web, address: "fd00::10" };
    const { talkers } = topTalkers(
      [edge(web, world), edge(six, mirror), edge(six, world)],
      "connections",
      0,
    );
    expect(talkers.map(({ name, connections }) => [name, connections])).toEqual([
      ["shop/web", 30],
      ["world (203.0.113.66)", 20],
      ["world (203.0.113.9)", 10],
    ]);
  });
});
