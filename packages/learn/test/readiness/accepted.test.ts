/** What is evidence, and what is not. */
import { expect, test } from "vitest";
import { acceptedHistories, readinessReport } from "../../src/index.ts";
import { edge, intruderEdges, inventoryOf, shopEdges } from "../shop.ts";
import { at, MONDAY, range, seen, watching } from "./worlds.ts";

const DAYS = [{ day: MONDAY, hours: 1, connections: 3 }];
const histories = [...shopEdges(), ...intruderEdges()].map((one) => ({ edge: one, days: DAYS }));

test("a scan is no evidence, and a shop is", () => {
  const accepted = acceptedHistories(histories, inventoryOf());
  expect(accepted).toHaveLength(shopEdges().length);
  expect(accepted.every(({ edge: { source } }) => source.name !== "shop/intruder")).toBe(true);
});

test("sets that an earlier suggestion made are what they were before, and who is known by now is known", () => {
  const set = edge("checkout", "203.0.113.9", "443/tcp");
  const renamed = {
    edge: { ...set, destination: { ...set.destination, name: "shop/api.example.com" } },
    days: DAYS,
  };
  const namedSets = new Map([["shop/api.example.com", "api.example.com"]]);
  const [one] = acceptedHistories([renamed], inventoryOf(), { namedSets });
  expect(one?.edge.destination).toMatchObject({ name: "world", names: ["api.example.com"] });
});

test("what is rare or late is left to a person, and counts as something new that came", () => {
  const days = range(0, 30);
  const steady = ["storefront-1", "storefront-2"].flatMap((name) => [
    seen("web", name, "8080/tcp", days),
    seen(name, "db", "5432/tcp", days),
  ]);
  const late = seen("storefront-2", "metrics", "9100/tcp", [29], { windows: 2, daily: 2 });
  const { subjects, edges, setAside } = readinessReport({
    histories: [...steady, late],
    watch: watching(days),
    inventory: inventoryOf(),
    schedules: [],
    dependencies: [],
    now: at(30),
    level: "group",
  });
  const storefront = subjects.find(({ subject }) => subject.name === "shop/storefront");
  expect({ edges, setAside }).toEqual({ edges: 5, setAside: 0 });
  expect(storefront).toMatchObject({ state: "learning", unseen: { seen: 3, once: 1 } });
});
