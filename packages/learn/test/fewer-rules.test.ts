import { formatPort, type Edge } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { suggest, type SuggestOptions } from "../src/index.ts";
import { edge, inventoryOf, silent, workload } from "./shop.ts";
import { rulesOf } from "./told.ts";

const APPS = ["hub", "a", "b", "c", "d", "e", "f"];
const ALL = APPS.flatMap((app, at) =>
  [1, 2].map((copy) => workload(`${app}-${copy}`, 10 + at * 2 + copy, { app })),
);
const inventory = inventoryOf(ALL);

/** Every copy with every copy, so that whatever slack there is comes of joining. */
function all(from: string, to: string, port: number, over: Partial<Edge> = {}): readonly Edge[] {
  return [1, 2].flatMap((one) =>
    [1, 2].map((other) => edge(`${from}-${one}`, `${to}-${other}`, `${port}/tcp`, over, 4, ALL)),
  );
}

/** Five services that the hub calls, each on a port of its own, and one that calls it. */
const SEEN = [
  ...all("hub", "a", 1001),
  ...all("hub", "b", 1002),
  ...all("hub", "c", 1003),
  ...all("hub", "d", 1004),
  ...all("e", "hub", 80),
];

const beyond = (edges: readonly Edge[], options: SuggestOptions): number =>
  suggest(edges, inventory, options).rules.reduce(
    (sum, { slack }) => sum + slack.permitted - slack.used,
    0,
  );

describe("a role that too many rules name", () => {
  it("is left as it is below its bound", () => {
    const found = suggest(SEEN, inventory, { maxRules: 5 });
    expect(found.fewerRules).toEqual([]);
    expect(found.rules.length).toBe(5);
    expect(beyond(SEEN, { maxRules: 5 })).toBe(0);
  });

  it("has two of its rules joined, and is told what that adds", () => {
    const found = suggest(SEEN, inventory, { maxRules: 4 });
    expect(rulesOf(SEEN, inventory, { maxRules: 4 })).toEqual([
      "shop/e-to-hub: shop: app=e → shop: app=hub 80/tcp",
      "shop/hub-to-c: shop: app=hub → shop: app=c 1003/tcp",
      "shop/hub-to-d: shop: app=hub → shop: app=d 1004/tcp",
      "shop/hub-to-many-1001-1002: shop: app=hub → shop: app in (a,b) 1001/tcp 1002/tcp",
    ]);
    // The hub's two copies may call either's two copies on the other's port.
    expect(found.fewerRules).toEqual([
      { role: "shop/hub", application: "shop", most: 4, before: 5, after: 4, added: 8 },
    ]);
    expect(beyond(SEEN, { maxRules: 4 })).toBe(8);
    expect(found.rules.at(-1)?.slack.beyond).toEqual([{ cause: "ports", pairs: 8 }]);
  });

  it("joins what adds least first", () => {
    const big = ["x", "y"].flatMap((app, at) =>
      Array.from({ length: 5 }, (_, copy) =>
        workload(`${app}-${copy}`, 100 + at * 5 + copy, { app }),
      ),
    );
    const known = [...ALL, ...big];
    const seen = [
      ...SEEN.filter(({ port }) => port < 1003),
      ...big.map(({ name }) =>
        edge("hub-1", name, name.startsWith("x") ? "2001/tcp" : "2002/tcp", {}, 4, known),
      ),
    ];
    const found = suggest(seen, inventoryOf(known), { maxRules: 4 });
    expect(found.fewerRules).toMatchObject([{ role: "shop/hub", before: 5, after: 4, added: 8 }]);
    expect(found.rules.map(({ name }) => name)).toContain("hub-to-many-1001-1002");
  });

  it("is left as it is, and told, where it cannot be held to its bound", () => {
    const found = suggest(SEEN, inventory, { maxRules: 1 });
    expect(found.fewerRules).toEqual([
      { role: "shop/hub", application: "shop", most: 1, before: 5, after: 5, added: 0 },
    ]);
    expect(beyond(SEEN, { maxRules: 1 })).toBe(0);
  });

  it("never permits more than twice what the joined needs permit", () => {
    // Three joined would permit three times as much; two pairs of two permit twice as much each.
    const found = suggest(SEEN, inventory, { maxRules: 3 });
    expect(found.fewerRules).toMatchObject([{ before: 5, after: 3, added: 16 }]);
    for (const { slack } of found.rules)
      expect(slack.permitted).toBeLessThanOrEqual(2 * slack.used);
  });

  it("joins for nothing what only custom keeps apart", () => {
    const two = [...all("hub", "a", 80), ...all("hub", "b", 80)];
    expect(suggest(two, inventory).rules.length).toBe(2);
    const found = suggest(two, inventory, { maxRules: 1 });
    expect(found.fewerRules).toEqual([
      { role: "shop/hub", application: "shop", most: 1, before: 2, after: 1, added: 0 },
    ]);
  });

  it("lets in nothing that was set aside", () => {
    const tried = all("hub", "a", 1002, silent());
    const found = suggest([...SEEN, ...tried], inventory, { maxRules: 4 });
    expect(found.setAside.map(({ edge: one }) => one)).toEqual(expect.arrayContaining([...tried]));
    expect(found.covered).toEqual([]);
    expect(found.rules.map(({ name }) => name)).toContain("hub-to-many-1001-1003");
  });

  it("gives nothing to a role of which somebody is suspicious", () => {
    const scan = Array.from({ length: 20 }, (_, port) =>
      edge("hub-2", "f-1", `${port + 1}/tcp`, silent(), 4, ALL),
    );
    const found = suggest([...SEEN, ...scan], inventory, { maxRules: 4 });
    expect(found.setAside.some(({ reason }) => reason === "scan")).toBe(true);
    expect(found.fewerRules).toEqual([
      { role: "shop/hub", application: "shop", most: 4, before: 5, after: 5, added: 0 },
    ]);
  });

  it("may still be called by others who are not", () => {
    const called = [...all("a", "hub", 1001), ...all("b", "hub", 1002), ...all("c", "hub", 1003)];
    const scan = Array.from({ length: 20 }, (_, port) =>
      edge("hub-2", "f-1", `${port + 1}/tcp`, silent(), 4, ALL),
    );
    const found = suggest([...called, ...scan], inventory, { maxRules: 2 });
    expect(found.fewerRules).toMatchObject([{ role: "shop/hub", before: 3, after: 2 }]);
  });

  it("keeps rare needs apart from regular ones", () => {
    const rare = { connections: 2, established: 2, bytes: 9_000, packets: 30, windows: 1 };
    const seen = [...all("hub", "a", 1001), ...all("hub", "b", 1002, rare)];
    const found = suggest(seen, inventory, { maxRules: 1 });
    expect(found.fewerRules).toMatchObject([{ before: 2, after: 2 }]);
  });
});

it("whatever is seen, keeps its promises", () => {
  const ends = fc.constantFrom(...ALL.map(({ name }) => name));
  const some = fc.array(
    fc
      .record({
        from: ends,
        to: ends,
        port: fc.constantFrom(80, 443, 5432, 8080, 9100),
        answered: fc.boolean(),
      })
      .map(({ from, to, port, answered }) =>
        edge(from, to, `${port}/tcp`, answered ? {} : silent(), 4, ALL),
      ),
    { minLength: 10, maxLength: 60 },
  );
  let [joined, asTheyWere] = [0, 0];
  fc.assert(
    fc.property(some, fc.integer({ min: 1, max: 6 }), (edges, maxRules) => {
      const plain = suggest(edges, inventory, { maxRules: 10_000 });
      const held = suggest(edges, inventory, { maxRules });
      // What was accepted stays accepted, and what was set aside stays out.
      expect(held.accepted).toEqual(plain.accepted);
      expect(held.setAside).toEqual(plain.setAside);
      const links = (found: typeof held): readonly string[] => found.links.map(({ text }) => text);
      expect(links(held)).toEqual(links(plain));
      const count = (found: typeof held, role: string): number =>
        found.rules.filter((rule) =>
          rule.links.some(({ text }) =>
            [`${role} →`, `→ ${role} `].some((words) => text.includes(words)),
          ),
        ).length;
      for (const app of APPS) {
        const told = held.fewerRules.find(({ role }) => role === `shop/${app}`);
        const [before, after] = [count(plain, `shop/${app}`), count(held, `shop/${app}`)];
        if (told === undefined) expect(after).toBeLessThanOrEqual(maxRules);
        else expect(told).toMatchObject({ most: maxRules, before, after });
        expect(after).toBeLessThanOrEqual(before);
      }
      // Every pair more is told of; one that another role's rule permits besides is told where it was added to this one.
      const permitted = (found: typeof held): number =>
        found.rules.reduce((sum, { slack }) => sum + slack.permitted, 0);
      const added = held.fewerRules.reduce((sum, role) => sum + role.added, 0);
      expect(permitted(held)).toBeLessThanOrEqual(permitted(plain) + added);
      if (added === 0) expect(permitted(held)).toBe(permitted(plain));
      for (const rule of held.rules) {
        const needed = rule.links.reduce((sum, { text }) => {
          const [from, to] = text.replace(/ \S+$/, "").split(" → ");
          return sum + (from === to ? 2 : 4);
        }, 0);
        expect(`${rule.name} ${rule.slack.permitted <= 2 * needed}`).toBe(`${rule.name} true`);
        expect(rule.ports.map(({ protocol, port }) => formatPort(protocol, port))).toEqual(
          [...new Set(rule.links.map(({ text }) => text.split(" ").at(-1)))].toSorted(
            (a = "", b = "") => Number.parseInt(a, 10) - Number.parseInt(b, 10),
          ),
        );
      }
      if (added > 0) joined += 1;
      if (held.fewerRules.some(({ after, most }) => after > most)) asTheyWere += 1;
    }),
    { numRuns: 200 },
  );
  expect(joined).toBeGreaterThan(10);
  expect(asTheyWere).toBeGreaterThan(10);
});
