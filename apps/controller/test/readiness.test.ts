/** What readiness asks of the record, and for how long an answer is kept. */
import { readinessAnswerSchema } from "@bulkhead/api";
import { readinessReport } from "@bulkhead/learn";
import { DAY_MS, type EdgeHistory } from "@bulkhead/model";
import { expect, it, vi } from "vitest";
import type { DoubtBook } from "../src/queries/doubt-book.ts";
import { createReadiness } from "../src/queries/readiness.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, reading, SHOP } from "./fixtures.ts";

const { inventory } = buildWorld(reading([INVENTORY]).declared, SHOP);
const DAY = 20_000;

const history: EdgeHistory = {
  edge: {
    source: {
      address: "10.9.0.10",
      workload: "shop/web",
      name: "shop/web",
      labels: { app: "web" },
    },
    destination: { address: "203.0.113.9", name: "world", labels: {} },
    protocol: 6,
    port: 443,
    verdict: "forwarded",
    connections: 10,
    established: 10,
    failed: 0,
    bytes: 10_000,
    packets: 100,
    firstSeen: DAY * DAY_MS,
    lastSeen: DAY * DAY_MS + 1000,
    windows: 10,
  },
  days: [{ day: DAY, hours: 1, connections: 10 }],
};

const NO_ANSWERS: DoubtBook = {
  answered: () => [],
  accepted: () => [],
  rejected: () => [],
  record: async () => [],
};

function readiness(took: number, book = NO_ANSWERS, asideFrom?: number) {
  let [now, asked] = [DAY * DAY_MS + 60_000, 0];
  const queries = createReadiness({
    async histories() {
      asked += 1;
      now += took;
      return [
        history,
        {
          ...history,
          edge: {
            ...history.edge,
            established: 0,
            failed: 10,
            port: 8443,
            bytes: 600,
            packets: 10,
          },
        },
      ];
    },
    watch: async () => [{ day: DAY, hours: 1 }],
    inventory: () => inventory,
    schedules: () => [],
    dependencies: () => [
      { workload: "shop/web", host: "mail.example.com", place: "environment MAIL" },
    ],
    domainSets: () => [],
    ranges: () => [],
    book,
    ruled: () => undefined,
    held: () => held([INVENTORY]),
    ...(asideFrom === undefined ? {} : { asideFrom }),
    now: () => now,
  });
  return { queries, pass: (ms: number) => (now += ms), asked: () => asked };
}

it("answers from what is on record, and says what was set aside", async () => {
  const { queries } = readiness(0);
  expect(queries.last("application")).toBeUndefined();
  const answer = readinessAnswerSchema.parse(await queries.assess("application"));
  expect(answer).toMatchObject({ edges: 1, setAside: 1, watched: { days: 1, hours: 1 } });
  const shop = answer.subjects.find(({ subject }) => subject.name === "shop");
  expect(shop).toMatchObject({
    state: "learning",
    unseen: { seen: 1 },
    awaited: [{ kind: "dependency" }],
  });
  expect(queries.last("application")).toEqual(answer);
});

it("hands a person's words to the book, and no longer gives what was found without them", async () => {
  const record = vi.fn<DoubtBook["record"]>(async () => []);
  const slow = readiness(1000, { ...NO_ANSWERS, record });
  await slow.queries.assess("group");
  expect(slow.asked()).toBe(1);
  await slow.queries.answer({
    accept: ["shop/web -> shop/db 5432/tcp"],
    author: "eve",
    reason: "",
  });
  expect(record).toHaveBeenCalledOnce();
  expect(slow.queries.last("group")).toBeUndefined();
  await slow.queries.assess("group");
  expect(slow.asked()).toBe(3);
});

it("asks again at once where that costs nothing, and keeps what took its time ten times as long", async () => {
  const quick = readiness(0);
  await quick.queries.assess("group");
  await quick.queries.assess("group");
  expect(quick.asked()).toBe(2);

  const slow = readiness(1000);
  await slow.queries.assess("group");
  slow.pass(9_999);
  await slow.queries.assess("group");
  expect(slow.asked()).toBe(1);
  slow.pass(1);
  await slow.queries.assess("group");
  expect(slow.asked()).toBe(2);
  slow.pass(-60_000);
  await slow.queries.assess("group");
  expect(slow.asked()).toBe(3);
});

it("counts what was recorded before an Inventory named somebody, and says so", async () => {
  const before = { workload: "default/web", name: "default/web", labels: {} };
  const { edge } = history;
  const unnamed: EdgeHistory = {
    ...history,
    edge: { ...edge, source: { ...before, address: "10.9.7.7" } },
  };
  const { subjects, formerNames } = readinessReport({
    histories: [unnamed],
    watch: [{ day: DAY, hours: 1 }],
    inventory,
    schedules: [],
    dependencies: [],
    now: DAY * DAY_MS + 60_000,
    level: "workload",
  });
  expect(subjects.find(({ subject }) => subject.name === "shop/web")?.unseen.seen).toBe(1);
  expect(subjects.map(({ subject }) => subject.name)).not.toContain("default/web");
  expect(formerNames).toEqual([{ before: "default/web", now: "shop/web" }]);
});

it("answers the same of long histories, in another thread", async () => {
  const here = await readiness(0).queries.assess("workload");
  expect(here.subjects.find(({ subject }) => subject.name === "shop/web")?.awaited).toHaveLength(1);
  expect(await readiness(0, NO_ANSWERS, 1).queries.assess("workload")).toEqual(here);
});

it("keeps no answer that was under way when a person spoke", async () => {
  const { queries, asked } = readiness(1000);
  const [first] = await Promise.all([
    queries.assess("group"),
    queries.answer({ author: "ann", reason: "" }),
  ]);
  const before = asked();
  expect(await queries.assess("group")).not.toBe(first);
  expect(asked()).toBe(before + 1);
});

it("has one look for all who ask at once", async () => {
  const { queries, asked } = readiness(1000);
  const [one, other] = await Promise.all([queries.assess("group"), queries.assess("group")]);
  expect(other).toBe(one);
  expect(asked()).toBe(1);
});
