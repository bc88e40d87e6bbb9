/** What people say of doubtful edges: kept over a restart, changed and taken back, and refused where nothing of the name is doubtful. */
import type { Edge, SetAside } from "@bulkhead/model";
import { beforeEach, describe, expect, it } from "vitest";
import { openDoubtBook, type DoubtBook } from "../src/queries/doubt-book.ts";

const NOW = 1_700_000_000_000;
const DB = "shop/web → shop/db 5432/tcp";
const CACHE = "shop/web → shop/cache 6379/tcp";

function doubt(habit: string, to: string, port: number): readonly [Edge, SetAside] {
  const end = (name: string) => ({ address: "10.0.0.1", workload: name, name, labels: {} });
  const edge: Edge = {
    source: end("shop/web-1"),
    destination: end(to),
    protocol: 6,
    port,
    verdict: "forwarded",
    connections: 1,
    established: 1,
    failed: 0,
    bytes: 100,
    packets: 10,
    windows: 1,
    firstSeen: NOW,
    lastSeen: NOW,
  };
  return [edge, { edge, reason: "lone", detail: "", habit }];
}

const known = new Map([doubt(DB, "shop/db-1", 5432), doubt(CACHE, "shop/cache", 6379)]);
const said = { author: "eve", reason: "asked" };

const settings = new Map<string, string>();
const state = {
  setting: async (key: string) => settings.get(key) ?? null,
  async saveSetting(key: string, value: string) {
    settings.set(key, value);
  },
};
let book: DoubtBook;
beforeEach(async () => {
  settings.clear();
  book = await openDoubtBook(state, () => NOW);
});

describe("the book of doubts", () => {
  it("remembers what was said by the name of the whole, over a restart", async () => {
    await book.record({ accept: ["shop/web-1 -> shop/db-1 5432/tcp"], ...said }, known);
    await book.record({ reject: [CACHE], ...said }, known);
    const again = await openDoubtBook(state, () => NOW);
    expect(again.answered()).toEqual([
      { edge: CACHE, answer: "rejected", at: NOW, ...said },
      { edge: DB, answer: "accepted", at: NOW, ...said },
    ]);
    expect([again.accepted(), again.rejected()]).toEqual([[DB], [CACHE]]);
  });

  it("keeps the last word, and forgets what is taken back", async () => {
    await book.record({ accept: [DB], ...said }, known);
    await book.record({ reject: [DB], ...said }, known);
    expect(book.answered()).toMatchObject([{ edge: DB, answer: "rejected" }]);
    await book.record({ forget: ["shop/web -> shop/db  5432/tcp"], ...said }, known);
    expect(book.answered()).toEqual([]);
  });

  it.each([
    [{ accept: [DB, "shop/web → shop/nobody 1/tcp"] }, "nothing that is doubtful is called"],
    [{ forget: [CACHE] }, "nobody said anything of"],
    [{ accept: [DB], reject: ["shop/web -> shop/db 5432/tcp"] }, "accepted and rejected at once"],
  ])("%j is refused whole", async (request, words) => {
    await expect(book.record({ ...request, ...said }, known)).rejects.toThrow(words);
    expect(book.answered()).toEqual([]);
    expect(settings.size).toBe(0);
  });
});
