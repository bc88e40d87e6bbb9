/** Which open connections a policy ends: judged by what is in force and by what would be, named, and told with the reason. */
import { expect, it } from "vitest";
import { cutUnderWay } from "../src/queries/under-way.ts";
import { createNamer } from "../src/world/naming.ts";
import { NOW, shop } from "./fixtures.ts";
import { POLICY } from "./lab.ts";

const open = (source: string, destination: string, port: number, connections = 1) => ({
  source,
  destination,
  protocol: 6,
  port,
  connections,
});
const [WEB, DB, EVIL] = ["10.9.0.10", "10.9.0.11", "10.9.0.12"];

const nothing = shop([]);
const audited = shop([POLICY], "audit");
const enforced = shop([POLICY]);

function cut(before: typeof nothing, after: typeof nothing, mode: "audit" | "enforce") {
  const found = cutUnderWay({
    open: [open(WEB, DB, 5432), open(EVIL, DB, 5432), open(WEB, DB, 22, 4)],
    before: { set: before.reading.set, index: before.world.index },
    after: { set: after.reading.set, index: after.world.index },
    mode,
    name: createNamer(after.world, []),
    now: NOW,
  });
  return found.map(
    ({ source, destination, port, connections, verdict, rule }) =>
      `${source.name} ${destination.name} ${port} ×${connections} ${verdict} ${rule}`,
  );
}

const BOTH = [
  "shop/web shop/db 22 ×4 drop Intent/shop/web-db#egress",
  "shop/evil shop/db 5432 ×1 drop Policy/shop/shut#egress",
];

it("tells what enforcing an audited policy would end", () => {
  expect(cut(nothing, audited, "audit")).toEqual(BOTH);
  // And not as if it were so already.
  expect(cut(nothing, audited, "enforce")).toEqual([]);
});

it("tells what a policy in force ends, once", () => {
  expect(cut(nothing, enforced, "enforce")).toEqual(BOTH);
  expect(cut(audited, enforced, "enforce")).toEqual(BOTH);
  expect(cut(enforced, enforced, "enforce")).toEqual([]);
});
