import { describe, expect, it } from "vitest";
import { suggest } from "../src/index.ts";
import { edge, silent } from "./shop.ts";
import { asideOf, inventory, rulesOf } from "./told.ts";

describe("behaviour", () => {
  it("below a scan makes single windows suspicious, not habits", () => {
    const misses = [1, 2, 3].map((port) => edge("web", "db", `${port}/tcp`, silent()));
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    const edges = [
      ...misses,
      edge("web", "storefront-1", "8080/tcp"),
      edge("web", "cache", "6379/tcp", once),
    ];
    expect(rulesOf(edges)).toEqual([
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
    ]);
    expect(asideOf(edges)).toContain("suspicious-source: shop/web → shop/cache 6379");
  });

  it("holds what may be answered yet against nobody, but for a whole scan", () => {
    const opened = { connections: 1, established: 0, failed: 0, bytes: 60, packets: 1, windows: 1 };
    const once = { connections: 1, established: 1, bytes: 5_000, packets: 20, windows: 1 };
    const open = (count: number) =>
      Array.from({ length: count }, (_, port) => edge("report", "db", `${port + 1}/tcp`, opened));
    const answered = edge("report", "cache", "6379/tcp", once);
    expect(rulesOf([answered, ...open(3)])).toEqual([
      "shop/report-to-cache-6379 (rare): shop: app=report → shop: app=cache 6379/tcp",
    ]);
    expect(asideOf([answered, ...open(3)])).toContain("pending: shop/report → shop/db 1");
    const failed = edge("report", "db", "1/tcp", silent());
    expect(asideOf([answered, failed])).toContain("failed: shop/report → shop/db 1");
    expect(rulesOf([answered, ...open(8)])).toEqual([]);
    expect(asideOf([answered, ...open(8)])).toContain(
      "flagged-source: shop/report → shop/cache 6379",
    );
  });

  it("of a program that scans only lately leaves its old habits standing", () => {
    const hour = 3_600_000;
    const habit = edge("web", "storefront-1", "8080/tcp", { firstSeen: 0, lastSeen: hour });
    const scan = Array.from({ length: 20 }, (_, port) =>
      edge("web", "db", `${port + 1}/tcp`, silent({ firstSeen: hour, lastSeen: hour })),
    );
    const fresh = edge("web", "cache", "6379/tcp", { firstSeen: hour, lastSeen: hour });
    expect(rulesOf([habit, ...scan, fresh])).toEqual([
      "shop/web-to-storefront: shop: app=web → shop: app=storefront 8080/tcp",
    ]);
  });

  it("of a program that scans leaves a connection standing that it had held open long before", () => {
    const hour = 3_600_000;
    const scan = Array.from({ length: 20 }, (_, port) =>
      edge("web", "db", `${port + 1}/tcp`, silent({ firstSeen: hour, lastSeen: hour })),
    );
    const once = { connections: 1, established: 1, bytes: 90_000, packets: 134, windows: 1 };
    const pool = (lastSeen: number, windows = 1) =>
      edge("web", "cache", "6379/tcp", { ...once, firstSeen: 0, lastSeen, windows });
    expect(rulesOf([pool(hour), ...scan])).toEqual([
      "shop/web-to-cache-6379 (rare): shop: app=web → shop: app=cache 6379/tcp",
    ]);
    // Not one that soon ended, nor two of which each was short.
    expect(rulesOf([pool(60_000), ...scan])).toEqual([]);
    expect(rulesOf([pool(hour, 2), ...scan])).toEqual([]);
  });

  it("is judged mildly by what policy stopped, which might have been answered", () => {
    const stopped = (count: number) =>
      Array.from({ length: count }, (_, port) =>
        edge("web", "db", `${port + 1}/tcp`, { ...silent(), verdict: "dropped" }),
      );
    const level = (count: number) => suggest(stopped(count), inventory).flagged[0]?.level;
    expect([3, 8, 9, 23, 24].map(level)).toEqual([
      undefined,
      undefined,
      "suspicious",
      "suspicious",
      "scanner",
    ]);
  });

  it("of a scraper with a few targets down is no scan", () => {
    const up = ["web", "checkout", "storefront-1", "storefront-2"].map((to) =>
      edge("metrics", to, "9100/tcp"),
    );
    const broken = ["db", "cache"].map((to) =>
      edge("metrics", to, "9100/tcp", silent({ windows: 20 })),
    );
    const { flagged, rules } = suggest([...up, ...broken], inventory);
    expect(flagged).toEqual([]);
    expect(rules.map((rule) => rule.name)).toEqual(["metrics-to-many-9100"]);
  });

  it("of a scanner that shares its labels with an honest copy is reported as covered", () => {
    const honest = edge("storefront-1", "db", "5432/tcp");
    const scan = Array.from({ length: 10 }, (_, port) =>
      edge("storefront-2", "cache", `${port + 1}/tcp`, silent()),
    );
    const own = edge("storefront-2", "db", "5432/tcp");
    const { covered, setAside } = suggest([honest, own, ...scan], inventory);
    expect(covered.map((item) => item.edge)).toEqual([own]);
    expect(covered[0]?.detail).toContain("`storefront-to-db` allows it all the same");
    expect(setAside).toHaveLength(10);
  });
});
