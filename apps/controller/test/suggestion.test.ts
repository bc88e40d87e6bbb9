/** What `suggest` asks of the record: spans without the windows that are excluded, prefixes that were said, sets in force. */
import { describe, expect, it } from "vitest";
import { suggestAnswerSchema, type SuggestRequest } from "@bulkhead/api";
import { DAY_MS, type Edge, type EdgeDay } from "@bulkhead/model";
import { suggestion } from "../src/queries/suggestion.ts";
import { reading, INVENTORY, SHOP } from "./fixtures.ts";
import { buildWorld } from "../src/world/world.ts";

const { inventory } = buildWorld(reading([INVENTORY]).declared, SHOP);

function edge(address: string, over: Partial<Edge> = {}): Edge {
  return {
    source: {
      address: "10.9.0.10",
      workload: "shop/web",
      name: "shop/web",
      labels: { app: "web" },
    },
    destination: { address, name: "world", labels: {} },
    protocol: 6,
    port: 443,
    verdict: "forwarded",
    connections: 10,
    established: 10,
    failed: 0,
    bytes: 10_000,
    packets: 100,
    firstSeen: 100,
    lastSeen: 200,
    windows: 10,
    ...over,
  };
}

function days({ firstSeen, connections }: Edge): EdgeDay[] {
  return [{ day: Math.floor(firstSeen / DAY_MS), hours: 1, connections }];
}

async function suggested(
  request: SuggestRequest,
  seen: (since?: number, until?: number) => Edge[],
  rejected: readonly string[] = [],
) {
  const asked: (readonly [number | undefined, number | undefined])[] = [];
  const answer = await suggestion(request, {
    historiesIn: async (since, until) => {
      asked.push([since, until]);
      return seen(since, until).map((one) => ({ edge: one, days: days(one) }));
    },
    inventory: () => inventory,
    accepted: () => [],
    rejected: () => rejected,
    domainSets: () => [
      { name: "shop/api.example.com", domain: "api.example.com", cidrs: ["203.0.113.1/32"] },
    ],
  });
  return { asked, answer: suggestAnswerSchema.parse(answer) };
}

describe("a suggestion", () => {
  it("lists what does not fit, until a person accepts it", async () => {
    const [everybodys, lone] = ["203.0.113.8", "203.0.113.7"];
    const copy = (at: number) => {
      const name = `shop/web-${at}`;
      return { address: `10.9.1.${at}`, workload: name, name, labels: { app: "web" } };
    };
    const week = 7 * DAY_MS;
    const seen = () => [
      ...[1, 2, 3].map((at) =>
        edge(everybodys!, { source: copy(at), firstSeen: 0, lastSeen: week }),
      ),
      edge(lone!, { source: copy(2), firstSeen: DAY_MS, lastSeen: DAY_MS + 9, windows: 2 }),
    ];
    const asides = async (request: SuggestRequest) =>
      (await suggested(request, seen)).answer.setAside.map(({ reason }) => reason);
    expect(await asides({})).toEqual(["lone"]);
    expect(await asides({ accept: [`shop/web-2 -> ${lone} 443/tcp`] })).toEqual([]);

    const { answer } = await suggested({}, seen);
    const [{ habit = "", detail, rejected: unasked } = {}] = answer.setAside;
    expect([unasked, answer.files[0]?.text.includes("a person rejected it")]).toEqual([
      undefined,
      false,
    ]);
    for (const words of [habit, `shop/web-2 -> ${lone} 443/tcp`]) {
      const { answer: told } = await suggested({}, seen, [words, "shop/nobody -> shop/db 1/tcp"]);
      expect(told.setAside).toMatchObject([
        { habit, rejected: true, detail: `${detail}; a person rejected it: it is not needed` },
      ]);
      expect(told.files[0]?.text).toContain("a person rejected it");
    }
  });

  it("confines people where that was said", async () => {
    const labels = { "bulkhead.dev/unit": "user-1000.slice", "bulkhead.dev/user": "ann" };
    const name = "host/user-ann";
    const source = { address: "10.9.0.1", workload: name, name, labels };
    const seen = () => [edge("203.0.113.9", { source })];
    const { answer } = await suggested({}, seen);
    expect([answer.rules.length, answer.setAside[0]?.reason]).toEqual([0, "people"]);
    const included = await suggested({ includePeople: true }, seen);
    expect(included.answer.rules).toHaveLength(1);
  });

  it("asks for what is outside of the windows, and counts an edge on both sides of one once", async () => {
    const { asked, answer } = await suggested(
      { since: 50, until: 900, exclude: [{ from: 300, to: 400 }] },
      (since = 0) => [edge("203.0.113.9", { firstSeen: since, lastSeen: since + 10 })],
    );
    expect(asked).toEqual([
      [50, 300],
      [400, 900],
    ]);
    expect(answer.rules).toMatchObject([
      { connections: 20, edges: 1, firstSeen: 50, lastSeen: 410 },
    ]);
    expect(answer.since).toBe(50);
  });

  it("allows a prefix that was said, and refuses one that is nearly everybody", async () => {
    const many = Array.from({ length: 20 }, (_, at) => edge(`203.0.113.${at + 1}`));
    const { answer } = await suggested({ ranges: ["203.0.113.0/24"] }, () => many);
    expect(answer.networkSets).toMatchObject([{ cidrs: ["203.0.113.0/24"], addresses: 20 }]);
    expect((await suggested({}, () => many)).answer.rules).toEqual([]);
    for (const request of [
      { ranges: ["0.0.0.0/0"] },
      { ranges: ["nonsense"] },
      { exclude: [{ from: 5, to: 5 }] },
    ]) {
      await expect(suggested(request, () => many)).rejects.toMatchObject({ code: "bad-request" });
    }
  });

  it("makes the sets of names in force again, whatever their flows are called by now", async () => {
    const named = edge("203.0.113.1");
    const destination = { ...named.destination, name: "shop/api.example.com" };
    const { answer } = await suggested({}, () => [{ ...named, destination }]);
    expect(answer.networkSets).toMatchObject([
      { resource: "NetworkSet/shop/api.example.com", cidrs: ["203.0.113.1/32"] },
    ]);
    expect(answer.links?.map(({ text }) => text)).toEqual([
      "shop/web → shop/api.example.com 443/tcp",
    ]);
    expect(answer.perApplication?.map(({ name }) => name)).toEqual(["shop.yaml"]);
  });
});
