/** What is broad is found in another thread as it is in this one, and what goes wrong there is told. */
import { expect, it } from "vitest";
import { broadAside } from "../src/queries/broad-aside.ts";
import { broad, broadInput, DAY, edge, policy } from "./broad-scene.ts";
import { NOW } from "./fixtures.ts";

const RULE = policy("    - { from: [app=web], ports: [8000-8010/tcp] }\n");
const USED = [edge(8001), edge(8002)];
// The first of it is when our own collectors saw their first.
const BEFORE = [edge(8003, { firstSeen: NOW - 60 * DAY, lastSeen: NOW - 50 * DAY })];

const asideOf = () => {
  const { edges, recent, oldest: _, ...rest } = broadInput(RULE, USED, { before: BEFORE });
  return { ...rest, edges: () => edges.map((one) => [one]), recent: () => [recent] };
};

it("answers the same as it would here", async () => {
  const found = await broadAside(asideOf());
  expect(found.rules).toMatchObject([{ proposed: "8001-8003/tcp" }]);
  expect(found).toEqual(await broad(RULE, USED, { before: BEFORE }));
});

it("tells whoever asked what went wrong there", async () => {
  const bad = [edge(8001, { source: { address: "nowhere", name: "world", labels: {} } })];
  await expect(broadAside({ ...asideOf(), edges: () => [bad] })).rejects.toThrow(
    /not an IP address/,
  );
});
