/** What an apply in audit leaves denied: only what is enforced opens anything in a world where something is enforced. */
import { expect, it } from "vitest";
import { changeToRollback } from "../src/policy/requests.ts";
import { mergeGiven, readGiven } from "../src/policy/candidate.ts";
import { givenBy } from "../src/policy/change.ts";
import { modeInForce, modesOf } from "../src/policy/modes.ts";
import { unopenedBy } from "../src/queries/unopened.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, NOW, reading, SHOP } from "./fixtures.ts";

const head = "apiVersion: bulkhead.dev/v1";
const SHUT = {
  name: "shut.yaml",
  text: `${head}
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: "", egress: [], ingress: [] }
`,
};
const OPEN = {
  name: "open.yaml",
  text: `${head}
kind: Intent
metadata: { name: web-to-db, namespace: shop }
spec: { from: app=web, to: app=db, ports: [5432/tcp] }
`,
};

function unopened(enforced: readonly (typeof SHUT)[], files: readonly (typeof SHUT)[]) {
  const before = [...held([INVENTORY], "audit"), ...held(enforced)];
  const merged = mergeGiven(before, readGiven(files), { mode: "audit", prune: false });
  const world = buildWorld(reading([INVENTORY]).declared, SHOP);
  return unopenedBy(merged.held, givenBy(merged), world, NOW);
}

const ROW = { from: "shop/web", to: "shop/db", ports: "5432/tcp" };

it("names what stays denied because the allow is only audited", () => {
  expect(unopened([SHUT], [OPEN])).toEqual([ROW]);
});

it("names what is denied because an enforced allow only audits from now on", () => {
  expect(unopened([SHUT, OPEN], [OPEN])).toEqual([ROW]);
});

it("says nothing where nothing is enforced but what is given, or what is given opens nothing", () => {
  expect(unopened([], [SHUT, OPEN])).toEqual([]);
  expect(unopened([SHUT, OPEN], [SHUT, OPEN])).toEqual([]);
  expect(unopened([OPEN], [SHUT])).toEqual([]);
});

it("counts modes of what decides, and of nothing else", () => {
  const mixed = [
    ...held([INVENTORY, OPEN], "audit"),
    ...held([SHUT]),
    ...held([
      { name: "ns.yaml", text: "apiVersion: v1\nkind: Namespace\nmetadata: { name: x }\n" },
    ]),
  ].map(({ stored }) => stored);
  expect(modesOf(mixed)).toEqual({ enforce: 1, audit: 1 });
  expect(modeInForce(mixed)).toBe("enforce");
  expect(modeInForce(mixed.filter(({ key }) => key !== "Policy/shop/shut"))).toBe("audit");
});

it("a rollback enforces where any of what comes back was enforced", () => {
  const back = [...held([OPEN], "audit"), ...held([SHUT])];
  const request = { revision: 2, author: "", reason: "", force: false, opens: false };
  const inForce = { revision: 3, record: null, held: [], reading: reading([]) };
  const change = (found: typeof back) =>
    changeToRollback(request, inForce, { held: found, revision: null });
  expect(change(back).mode).toBe("enforce");
  expect(change(held([OPEN], "audit") as typeof back).mode).toBe("audit");
});
