/** The service map: who is grouped, what is added up, and its pictures, which are the same whenever the map is. */
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapDot, mapMermaid, mapSvg, serviceMap } from "../../src/observe/index.ts";
import { layOut, wayOf } from "../../src/observe/map-layout.ts";
import { db, edge, edges, front1, front2, office, web, workload } from "./seen.ts";

const map = serviceMap(edges);

describe("the map", () => {
  it("groups by the application label, and within a namespace", () => {
    const elsewhere = workload("lab/front", "10.1.0.1", { app: "storefront" });
    const { nodes } = serviceMap([...edges, edge(elsewhere, web)]);
    expect(nodes.map(({ id, kind, members }) => [id, kind, members.length])).toEqual([
      ["lab/storefront", "application", 1],
      ["ops/cron", "workload", 1],
      ["shop/db", "application", 1],
      ["shop/storefront", "application", 2],
      ["shop/web", "application", 1],
      ["outside:host", "outside", 1],
      ['outside:office "A" <&|#>\\', "outside", 1],
      ["outside:world", "outside", 2],
    ]);
  });

  it("prefers the recommended label, and takes another when asked", () => {
    const both = workload("shop/x", "10.0.0.30", { app: "old", "app.kubernetes.io/name": "new" });
    expect(serviceMap([edge(both, web)]).nodes[0]?.id).toBe("shop/new");
    const byRole = serviceMap([edge(web, db)], ["role"]).nodes.map(({ id }) => id);
    expect(byRole).toEqual(["shop/database", "shop/web"]);
  });

  it("adds up what has the same ends and outcome, ports by weight", () => {
    const found = map.arrows.find(({ from, to }) => from === "shop/storefront" && to === "shop/db");
    expect(found).toEqual({
      from: "shop/storefront",
      to: "shop/db",
      outcome: "passed",
      ports: [
        { port: "5432/tcp", connections: 22, failed: 0, bytes: 1070 },
        { port: "5433/tcp", connections: 2, failed: 0, bytes: 1000 },
        { port: "53/udp", connections: 2, failed: 0, bytes: 1000 },
        { port: "icmp/echo-request", connections: 1, failed: 0, bytes: 1000 },
      ],
      connections: 27,
      failed: 0,
      bytes: 4070,
    });
    const both = serviceMap([edge(web, db), edge(web, db, { verdict: "rejected", port: 22 })]);
    expect(both.arrows.map(({ outcome, connections }) => [outcome, connections])).toEqual([
      ["passed", 10],
      ["denied", 10],
    ]);
  });

  it("takes a NetworkSet for no application of that name", () => {
    const set = { ...office, name: "shop/web" };
    expect(serviceMap([edge(set, web)]).nodes.map(({ id }) => id)).toEqual([
      "shop/web",
      "outside:shop/web",
    ]);
  });

  it("does not depend on the order of the edges", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...edges], { minLength: edges.length }), (shuffled) => {
        expect(mapSvg(serviceMap(shuffled))).toBe(mapSvg(map));
      }),
    );
  });
});

describe("the layout", () => {
  it("leads from left to right, but for an arrow that would close a circle", () => {
    const { nodes } = layOut(map);
    const column = (id: string) => nodes.get(id)?.column ?? -1;
    for (const { from, to, outcome } of map.arrows) {
      if (from !== to && outcome !== "audit") expect(column(to)).toBeGreaterThan(column(from));
    }
    // The least of the circle web, storefront, db.
    expect(column("shop/web")).toBeLessThan(column("shop/db"));
  });

  it("gives every node and every way past one a place of its own, in any map", () => {
    const ends = Array.from({ length: 7 }, (_, at) => workload(`shop/w${at}`, `10.0.0.${at}`, {}));
    const pair = fc.tuple(fc.constantFrom(...ends), fc.constantFrom(...ends));
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 20 }), (pairs) => {
        const drawn = serviceMap(
          pairs.map(([from, to], at) => edge(from, to, { connections: at })),
        );
        const { nodes, ways } = layOut(drawn);
        const places = [...nodes.values(), ...[...ways.values()].flat()];
        const taken = new Set(places.map(({ column, row }) => `${column} ${row}`));
        expect(taken.size).toBe(places.length);
        for (const { from, to } of drawn.arrows) {
          const span = (nodes.get(to)?.column ?? 0) - (nodes.get(from)?.column ?? 0);
          const way = ways.get(wayOf(from, to));
          if (way === undefined) expect(span).toBeLessThanOrEqual(0);
          else expect(way).toHaveLength(span - 1);
        }
      }),
    );
  });
});

describe("the picture", () => {
  it.each([
    ["map.svg", mapSvg],
    ["map.dot", mapDot],
    ["map.mmd", mapMermaid],
  ])("%s is as it was", async (name, draw) => {
    await expect(draw(map)).toMatchFileSnapshot(join(import.meta.dirname, "golden", name));
  });

  it.each([mapSvg, mapDot, mapMermaid])("of nothing is a picture of nothing", (draw) => {
    expect(draw(serviceMap([]))).toMatch(/<\/svg>|^digraph|^flowchart/);
  });

  it("has names that break nothing", () => {
    const evil = `a"]; <script>&\\\n\u001b--> %%`;
    const drawn = serviceMap([edge(front1, { ...office, name: evil }), edge(front2, web)]);
    const svg = mapSvg(drawn);
    expect(svg).not.toContain("<script>");
    expect(svg).not.toContain("\u001b");
    expect(svg).toContain("a&quot;]; &lt;script&gt;&amp;");
    // One line a statement, and quotes only around.
    const named = (text: string) => text.split("\n").filter((line) => line.includes("script"));
    expect(named(mapDot(drawn))[0]).toMatch(/^ {2}n\d \[label="a\\"\]; <script>&\\\\ /);
    for (const line of named(mapMermaid(drawn))) expect(line.match(/"/g)).toHaveLength(2);
  });
});
