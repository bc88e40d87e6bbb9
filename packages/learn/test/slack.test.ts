import { describe, expect, it } from "vitest";
import { sumSlack, suggest, type SuggestOptions } from "../src/index.ts";
import type { Edge } from "@bulkhead/model";
import { edge, inventoryOf, SHOP, silent, workload } from "./shop.ts";

const COPIES = [
  ...["web-1", "web-2", "web-3"].map((name, at) => workload(name, 30 + at, { app: "web" })),
  ...["api-1", "api-2"].map((name, at) => workload(name, 40 + at, { app: "api" })),
  workload("db", 50, { app: "db" }),
  workload("dns-1", 60, { app: "dns" }),
  workload("dns-2", 61, { app: "dns" }),
];

const called = (from: string, to: string, port: string, over: Partial<Edge> = {}): Edge =>
  edge(from, to, port, over, 4, COPIES);

/** `name: permitted, used, cause pairs…` */
function slackOf(
  edges: readonly Edge[],
  options: SuggestOptions = {},
  workloads = COPIES,
): readonly string[] {
  return suggest(edges, inventoryOf(workloads), options).rules.map(({ name, slack }) =>
    [
      `${name}: ${slack.permitted}`,
      slack.used,
      ...slack.beyond.map(({ cause, pairs }) => `${cause} ${pairs}`),
    ].join(", "),
  );
}

describe("what a rule permits beyond what it stands on", () => {
  it("is nothing where every copy does it to every copy", () => {
    const all = ["web-1", "web-2", "web-3"].flatMap((from) =>
      ["api-1", "api-2"].map((to) => called(from, to, "8080/tcp")),
    );
    expect(slackOf(all)).toEqual(["web-to-api: 6, 6"]);
  });

  it("is what the other copies of the same roles may do", () => {
    expect(slackOf([called("web-1", "api-1", "8080/tcp")])).toEqual(["web-to-api: 6, 1, copies 5"]);
  });

  it("counts nobody with himself", () => {
    expect(slackOf([called("web-1", "web-2", "7000/tcp")])).toEqual(["web-to-web: 6, 1, copies 5"]);
  });

  it("counts every port by itself", () => {
    const edges = [called("web-1", "db", "5432/tcp"), called("web-2", "db", "5433/tcp")];
    expect(slackOf(edges)).toEqual(["web-to-db: 6, 2, copies 4"]);
  });

  it("tells what was seen, and set aside, apart from what was never seen", () => {
    const failing = Array.from({ length: 12 }, (_, port) =>
      called("web-2", "db", `${port + 1}/tcp`, silent()),
    );
    const tried = called("web-2", "db", "5432/tcp", { connections: 1, windows: 1 });
    const found = suggest(
      [called("web-1", "db", "5432/tcp"), ...failing, tried],
      inventoryOf(COPIES),
    );
    expect(found.covered.map((item) => item.edge)).toEqual([tried]);
    expect(found.rules.map(({ slack }) => slack)).toEqual([
      {
        permitted: 3,
        used: 1,
        beyond: [
          { cause: "doubtful", pairs: 1 },
          { cause: "copies", pairs: 1 },
        ],
      },
    ]);
  });

  it("names addresses that one client alone was seen with, since all share the set of a name", () => {
    const named = (from: string, address: string): Edge => {
      const one = called(from, address, "443/tcp");
      return { ...one, destination: { ...one.destination, names: ["api.example.com"] } };
    };
    expect(slackOf([named("web-1", "203.0.113.1"), named("api-1", "203.0.113.2")])).toEqual([
      "clients-to-api.example.com-443: 10, 2, copies 3, addresses 5",
    ]);
  });

  it("counts a prefix that a person said whole", () => {
    const edges = [called("db", "203.0.113.1", "443/tcp"), called("db", "203.0.113.7", "443/tcp")];
    expect(slackOf(edges, { ranges: ["203.0.113.0/24"] })).toEqual([
      "db-to-net-203-0-113-0-24: 256, 2, addresses 254",
    ]);
  });

  it("counts no address that nobody was seen with, where none was said", () => {
    const edges = [called("db", "203.0.113.1", "443/tcp"), called("db", "203.0.113.7", "443/tcp")];
    expect(slackOf(edges)).toEqual(["db-to-world-443: 2, 2"]);
  });

  it("has both protocols of a resolver for whoever asks it over one", () => {
    const edges = [called("db", "dns-1", "53/udp"), called("api-1", "dns-1", "53/tcp")];
    expect(slackOf(edges)).toEqual(["clients-to-dns-53-udp-53: 12, 2, copies 4, ports 6"]);
  });

  it("has the rest of a namespace where all of it asks", () => {
    const asking = ["web-1", "api-1", "db"].map((name) => called(name, "dns-1", "53/udp"));
    const one = COPIES.filter(({ name }) => name !== "dns-2");
    // The resolver itself is named with the namespace, and alone with itself.
    expect(slackOf(asking, {}, one)).toEqual(["clients-to-dns-udp-53: 6, 3, copies 3"]);
  });

  it("counts over who is there: of who has gone the role remembers", () => {
    const gone = workload("web-0", 29, { app: "web" });
    const edges = [edge("web-0", "db", "5432/tcp", {}, 4, [...COPIES, gone])];
    expect(slackOf(edges)).toEqual(["web-to-db: 3, 0, copies 3"]);
  });

  it("counts over everybody who was seen where nobody says who is there", () => {
    expect(slackOf([called("web-1", "db", "5432/tcp")], {}, [])).toEqual(["web-to-db: 1, 1"]);
  });

  it("is summed cause by cause", () => {
    const one = { permitted: 6, used: 1, beyond: [{ cause: "copies", pairs: 5 } as const] };
    const other = {
      permitted: 9,
      used: 4,
      beyond: [{ cause: "doubtful", pairs: 2 } as const, { cause: "copies", pairs: 3 } as const],
    };
    expect(sumSlack([one, other])).toEqual({
      permitted: 15,
      used: 5,
      beyond: [
        { cause: "doubtful", pairs: 2 },
        { cause: "copies", pairs: 8 },
      ],
    });
    expect(sumSlack([])).toEqual({ permitted: 0, used: 0, beyond: [] });
  });

  it("is told of what is set aside within a prefix that a person said", () => {
    const into = called("db", "203.0.113.1", "443/tcp");
    const failing = called("db", "203.0.113.9", "443/tcp", { ...silent(), established: 0 });
    const found = suggest([into, failing], inventoryOf([...SHOP, ...COPIES]), {
      ranges: ["203.0.113.0/24"],
    });
    expect(found.setAside).toEqual([]);
    expect(found.covered.map(({ edge: one }) => one)).toEqual([failing]);
  });
});
