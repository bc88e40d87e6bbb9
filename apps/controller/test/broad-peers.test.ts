/** Peers that admit more than used them: told, and narrowed to groups and prefixes that hold all who ever did. */
import { describe, expect, it } from "vitest";
import type { Edge, FlowEnd } from "@bulkhead/model";
import type { StoredFile } from "@bulkhead/store";
import { broad, DAY, edge, policy, type Given } from "./broad-scene.ts";
import { NOW } from "./fixtures.ts";

/** All are attached or have an address; `db` is whom the rules are about. */
const TOWN: StoredFile = {
  name: "inventory.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Inventory
metadata: { name: lab, namespace: shop }
spec:
  workloads:
    - { name: web, netns: web, labels: { app: web } }
    - { name: db, netns: db, labels: { app: db }, ports: [{ name: sql, port: 5432 }] }
    - { name: evil, netns: evil, labels: { app: evil } }
    - { name: web-2, addresses: [10.9.1.2], labels: { app: web } }
    - { name: api, addresses: [10.9.1.3], labels: { app: api } }
    - { name: admin, addresses: [10.9.1.4], labels: { app: admin } }
    - { name: mail, addresses: [10.9.1.5], labels: { app: mail } }
    - { name: till, namespace: billing, addresses: [10.9.2.1], labels: { app: till } }
    - { name: books, namespace: billing, addresses: [10.9.2.2], labels: { app: books } }
`,
};
const ADDRESSES = new Map([
  ["shop/web", "10.9.0.10"],
  ["shop/db", "10.9.0.11"],
  ["shop/evil", "10.9.0.12"],
  ["shop/web-2", "10.9.1.2"],
  ["shop/api", "10.9.1.3"],
  ["shop/admin", "10.9.1.4"],
  ["shop/mail", "10.9.1.5"],
  ["billing/till", "10.9.2.1"],
  ["billing/books", "10.9.2.2"],
]);

const workload = (id: string): FlowEnd => ({
  address: ADDRESSES.get(id) ?? "10.9.1.8",
  workload: id,
  name: id,
  labels: { app: id.slice(id.indexOf("/") + 1).replace(/-\d$/, "") },
});
const stranger = (address: string): FlowEnd => ({ address, name: "world", labels: {} });
const at = (id: string): FlowEnd => (ADDRESSES.has(id) ? workload(id) : stranger(id));

const from = (id: string, more: Partial<Edge> = {}): Edge =>
  edge(5432, { source: at(id), firstSeen: NOW - 50 * DAY, ...more });
const once = { firstSeen: NOW - 5 * DAY, lastSeen: NOW - 5 * DAY };
/** Whom all have known for long: each called somebody in the world. */
const KNOWN = [...ADDRESSES.keys(), "shop/spare"].map((id) =>
  edge(443, {
    source: workload(id),
    destination: stranger("203.0.113.9"),
    firstSeen: NOW - 55 * DAY,
  }),
);

async function asked(peers: string, used: readonly Edge[], given: Given = {}) {
  const text = peers.includes("\n") ? peers : `    - { from: [${peers}], ports: [5432/tcp] }\n`;
  const found = await broad(policy(text), used, {
    inventory: TOWN,
    ...given,
    before: [...KNOWN, ...(given.before ?? [])],
  });
  return { ...found, peers: found.rules[0]?.peers ?? [] };
}

describe("a selector that admits groups which never used it", () => {
  it("becomes one that holds whole groups of those who did, copies with them", async () => {
    const { rules, patch } = await asked('{ selector: "" }', [from("shop/web"), from("shop/api")]);
    expect(rules).toEqual([
      {
        rule: expect.stringMatching(/^Policy\/shop\/db#ingress\//),
        place: "db.yaml:7:7",
        inForceSince: NOW - 90 * DAY,
        permits: "5432/tcp",
        used: "5432/tcp",
        slack: 0,
        readiness: "ready",
        peers: [
          {
            side: "from",
            peer: "everybody",
            // web (two copies), db, api, admin, mail, evil.
            permits: { groups: 6, workloads: 7, addresses: 0 },
            used: { groups: 2, workloads: 2, addresses: 0 },
            // `db` would talk to itself.
            unused: ["shop/admin", "shop/evil", "shop/mail"],
            seen: 2,
            once: 0,
            proposed: ["app in (api,web)"],
          },
        ],
      },
    ]);
    expect(patch).toContain(
      `-    - { from: [{ selector: "" }], ports: [5432/tcp] }\n+    - { from: ["app in (api,web)"], ports: [5432/tcp] }\n`,
    );
  });

  it("is said namespace by namespace, and asks what it asked", async () => {
    const { peers, patch } = await asked('{ selector: "app,app!=mail", namespace: "*" }', [
      from("shop/web"),
      from("billing/till"),
      from("billing/books"),
    ]);
    // Whoever is in billing used it: nothing more is asked there.
    expect(peers).toMatchObject([
      {
        peer: "app,app!=mail in all namespaces",
        unused: ["shop/admin", "shop/api", "shop/evil"],
        proposed: ["app,app!=mail in billing", "app=web"],
      },
    ]);
    expect(patch).toContain(`from: [{selector: "app,app!=mail", namespace: billing}, app=web]`);
  });

  it("keeps who used it before the span, and is none where all did", async () => {
    const before = [from("shop/admin", { lastSeen: NOW - 40 * DAY })];
    const some = await asked('{ selector: "" }', [from("shop/web")], { before });
    expect(some.peers).toMatchObject([
      {
        unused: ["shop/admin", "shop/api", "shop/evil", "shop/mail"],
        proposed: ["app in (admin,web)"],
      },
    ]);
    const ids = [...ADDRESSES.keys()].filter((id) => id.startsWith("shop/"));
    const all = await asked(
      '{ selector: "" }',
      ids.map((id) => from(id)),
    );
    expect(all.rules).toEqual([]);
  });

  it("keeps who was not on record for so long, and who is still learning", async () => {
    const young = await asked(
      '{ selector: "app in (web,mail,admin)" }',
      [
        from("shop/web"),
        edge(443, { source: workload("shop/web"), destination: stranger("203.0.113.9") }),
      ],
      { inventory: withYoung() },
    );
    expect(young.peers).toMatchObject([
      { unused: ["shop/admin", "shop/mail"], proposed: ["app=web"] },
    ]);
    const late = await asked('{ selector: "app in (web,new,admin)" }', [from("shop/web")], {
      inventory: withYoung(),
    });
    expect(late.peers).toMatchObject([{ unused: ["shop/admin"], proposed: ["app in (new,web)"] }]);
  });

  it("is taken out whole where nobody used it and others of its rule were used", async () => {
    const lines = `    - from:
        - app=web # the shop's own
        - selector: app in (admin,mail)
          namespace: shop
      ports: [5432/tcp]
`;
    const commented = await asked(lines, [from("shop/web")]);
    expect(commented.peers).toMatchObject([
      { peer: "app in (admin,mail)", left: "a comment or an anchor stands among its peers" },
    ]);
    const { peers, patch } = await asked(lines.replace(" # the shop's own", ""), [
      from("shop/web"),
    ]);
    expect(peers).toMatchObject([{ used: { groups: 0 }, proposed: [] }]);
    expect(patch).toContain(`   ingress:
     - from:
         - app=web
-        - selector: app in (admin,mail)
-          namespace: shop
       ports: [5432/tcp]
`);
  });
});

/** One more, whom all know. */
function withSpare(): StoredFile {
  const line = "    - { name: spare, addresses: [10.9.1.8], labels: { app: spare } }\n";
  return { ...TOWN, text: `${TOWN.text}${line}` };
}

function withYoung(): StoredFile {
  const line = "    - { name: new, addresses: [10.9.1.9], labels: { app: new } }\n";
  return { ...TOWN, text: `${TOWN.text}${line}` };
}

describe("addresses", () => {
  it("become few prefixes that hold little more than was seen", async () => {
    const used = ["198.51.100.4", "198.51.100.5", "198.51.100.7"].map((id) => from(id));
    const { peers, patch } = await asked("{ cidr: 198.51.100.0/24 }", used);
    expect(peers).toMatchObject([
      {
        peer: "198.51.100.0/24",
        permits: { groups: 0, workloads: 0, addresses: 256 },
        used: { addresses: 3 },
        seen: 3,
        proposed: ["198.51.100.4/30"],
      },
    ]);
    expect(patch).toContain("+    - { from: [{cidr: 198.51.100.4/30}], ports: [5432/tcp] }\n");
    // Eight addresses for two that were seen are not much more.
    expect((await asked("{ cidr: 198.51.100.0/29 }", used.slice(0, 2))).rules).toEqual([]);
  });

  it("stay out of what the entry leaves out, and of addresses of ours that it never meant", async () => {
    const used = ["198.51.100.4", "198.51.100.5", "198.51.100.7"].map((id) => from(id));
    const except = await asked("{ cidr: 198.51.100.0/24, except: [198.51.100.6/32] }", used);
    expect(except.peers).toMatchObject([{ proposed: ["198.51.100.4/31", "198.51.100.7/32"] }]);
    // Three of four addresses are the world's; 10.9.1.3 is shop/api.
    const near = ["10.9.1.0", "10.9.1.1"].map((id) => from(id));
    const world = await asked("{ entity: world }", near);
    expect(world.peers).toMatchObject([{ proposed: ["10.9.1.0/31"] }]);
  });

  it("of workloads become their labels", async () => {
    const { peers } = await asked("{ cidr: 10.9.0.0/16 }", [from("shop/api"), from("10.9.77.1")]);
    expect(peers).toMatchObject([{ proposed: ["app=api", "10.9.77.1/32"] }]);
  });

  it("of anybody become those who were seen", async () => {
    const { peers } = await asked("{ any: true }", [
      from("shop/web"),
      from("billing/till"),
      from("198.51.100.4"),
    ]);
    expect(peers).toMatchObject([
      {
        peer: "any",
        permits: { groups: 8, workloads: 9 },
        proposed: ["app=till in billing", "app=web", "198.51.100.4/32"],
      },
    ]);
    expect(peers[0]?.permits).not.toHaveProperty("addresses");
  });

  it("are the world where they are many", async () => {
    const many = Array.from({ length: 40 }, (_, at) => from(`198.${at}.100.${at * 3}`));
    const { peers } = await asked("{ any: true }", [from("shop/web"), ...many]);
    expect(peers).toMatchObject([{ proposed: ["app=web", "world"] }]);
    const { peers: world } = await asked("{ entity: world }", many);
    expect(world).toMatchObject([{ left: "no few prefixes hold the 40 addresses that used it" }]);
  });

  it("of a NetworkSet stand in the rule, unless they follow a name", async () => {
    const set = (annotations: string): StoredFile => ({
      name: "sets.yaml",
      text: `apiVersion: bulkhead.dev/v1
kind: NetworkSet
metadata: { name: partners, namespace: shop${annotations} }
spec: { cidrs: [198.51.100.0/24, 203.0.113.0/24] }
`,
    });
    const used = [from("198.51.100.4")];
    const plain = await asked("{ networkSet: partners }", used, { others: [set("")] });
    expect(plain.peers).toMatchObject([
      { peer: "NetworkSet partners", permits: { addresses: 512 }, proposed: ["198.51.100.4/32"] },
    ]);
    const named = await asked("{ networkSet: partners }", used, {
      others: [set(", annotations: { bulkhead.dev/dns-name: api.example.com }")],
    });
    expect(named.peers).toMatchObject([
      { left: "its addresses follow the name `api.example.com`" },
    ]);
  });
});

describe("no peers are proposed", () => {
  it("where new ones still come", async () => {
    const used = [from("198.51.100.4"), from("198.51.100.9"), from("198.51.100.77", once)];
    const { peers, patch } = await asked("{ cidr: 198.51.100.0/24 }", used);
    expect(peers).toMatchObject([
      { seen: 3, once: 1, left: "1 of 3 that used it came on one day only" },
    ]);
    expect(patch).toBe("");
  });

  it("of what everybody asks for now and then, for a single one who is rare", async () => {
    const names = (id: string, more: Partial<Edge> = {}): Edge =>
      from(id, { protocol: 17, port: 53, ...more });
    const rule = `    - { from: [{ selector: "" }], ports: [53/udp] }\n`;
    const regular = [names("shop/web"), names("shop/api"), names("shop/admin")];
    expect((await asked(rule, regular)).peers).toMatchObject([
      { unused: ["shop/evil", "shop/mail"], proposed: ["app in (admin,api,web)"] },
    ]);
    // One of four were too few to wait for elsewhere, too; one of six would not be.
    const rare = await asked(rule, [...regular, names("shop/evil"), names("billing/till", once)]);
    expect(rare.peers).toMatchObject([{ seen: 4, proposed: ["app in (admin,api,evil,web)"] }]);
    const used = [...regular, names("shop/evil"), names("shop/mail", once)];
    const { peers } = await asked(rule.replace('""', "app"), used, { inventory: withSpare() });
    expect(peers).toMatchObject([
      {
        unused: ["shop/spare"],
        left: "it is for dns, and 1 of 5 that used it came on one day only",
      },
    ]);
    // Of another service one of five is few enough.
    const other = used.map((one) => ({ ...one, protocol: 6, port: 5432 }));
    const sql = await asked('{ selector: "app" }', other, { inventory: withSpare() });
    expect(sql.peers).toMatchObject([
      { seen: 5, once: 1, proposed: [expect.stringMatching(/^app in/)] },
    ]);
  });

  it("while its subject is learning, and the group that learns is told", async () => {
    const { rules, patch } = await asked('{ selector: "" }', [from("shop/web")], {
      state: "learning",
    });
    expect(rules).toMatchObject([{ tooEarly: "learning: shop/db", readiness: "learning" }]);
    expect(rules[0]?.peers?.[0]).not.toHaveProperty("proposed");
    expect(patch).toBe("");
  });

  it("for a kind that is not ours, which is told all the same", async () => {
    const kubernetes: StoredFile = {
      name: "np.yaml",
      text: `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  ingress:
    - { from: [{ podSelector: {} }], ports: [{ port: 5432 }] }
`,
    };
    const { rules, patch } = await broad(kubernetes, [from("shop/web")], {
      inventory: TOWN,
      before: KNOWN,
    });
    expect(rules).toMatchObject([
      { slack: 0, peers: [{ peer: "everybody", left: "it is not written in a kind of ours" }] },
    ]);
    expect(patch).toBe("");
  });

  const intent: StoredFile = {
    name: "all-to-db.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Intent
metadata: { name: all-to-db, namespace: shop }
spec:
  from: { selector: "app in (web,admin)" }
  to: app=db
  ports: [5432/tcp]
`,
  };
  const shut: StoredFile = {
    name: "shut.yaml",
    text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: shut, namespace: shop }
spec: { subject: { selector: "" }, ingress: [], egress: [] }
`,
  };
  it("where they would free who is held by the rule, and are where all are held anyway", async () => {
    const given = { inventory: TOWN, before: KNOWN, workloads: [...ADDRESSES.keys()] };
    const free = await broad(intent, [from("shop/web")], given);
    expect(free.rules[0]?.peers).toMatchObject([
      { side: "from", left: "it could not be proved that nothing more is permitted" },
    ]);
    const held = await broad(intent, [from("shop/web")], { ...given, others: [shut] });
    expect(held.rules[0]?.peers).toMatchObject([{ side: "from", proposed: ["app=web"] }]);
    expect(held.patch).toContain('-  from: { selector: "app in (web,admin)" }\n+  from: app=web\n');
  });
});

it("narrows ports and peers of one rule in one patch", async () => {
  const { rules, patch } = await asked(
    `    - { from: [{ selector: "" }], ports: [5432-5440/tcp] }\n`,
    [from("shop/web"), from("shop/web-2")],
  );
  expect(rules).toMatchObject([
    { slack: 8, proposed: "5432/tcp", peers: [{ proposed: ["app=web"] }] },
  ]);
  expect(patch).toContain("+    - { from: [app=web], ports: [5432/tcp] }\n");
});
