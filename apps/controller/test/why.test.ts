/** Whose denial is meant, who answers for it, since when, and what is drafted: on flows and policies made for the question. */
import { describe, expect, it } from "vitest";
import { whyAnswerSchema, whyQuerySchema, type WhyAnswer, type WhyQuery } from "@bulkhead/api";
import type { Edge, FileOrigin, Flow, FlowEnd } from "@bulkhead/model";
import { flowFits, type Revision, type StoredFile } from "@bulkhead/store";
import { whyDenied } from "../src/queries/why.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, NOW, reading, SHOP } from "./fixtures.ts";

const API = "apiVersion: bulkhead.dev/v1";
const ORIGIN: FileOrigin = { commit: "a".repeat(40), path: "team/shop.yaml", changed: false };

const WALLS: StoredFile = {
  name: "shop.yaml",
  text: `${API}
kind: Policy
metadata: { name: walls, namespace: shop }
spec: { owner: team-shop, subject: "app", ingress: [], egress: [] }
`,
  origin: ORIGIN,
};

/** Only who may come in is said. */
const DOOR: StoredFile = {
  name: "door.yaml",
  text: `${API}
kind: Policy
metadata: { name: door, namespace: shop, annotations: { team: doorkeepers } }
spec: { subject: "app=db", ingress: [] }
`,
};

const GUARD: StoredFile = {
  name: "guard.yaml",
  text: `${API}
kind: Policy
metadata: { name: guard, namespace: shop }
spec: { tier: guardrail, subject: "app=db", ingress: [{ name: never, action: deny, from: [{ any: true }] }] }
`,
};

function end(name: string, over: Partial<FlowEnd> = {}): FlowEnd {
  const addresses: Record<string, string> = {
    web: "10.9.0.10",
    db: "10.9.0.11",
    evil: "10.9.0.12",
  };
  const id = `shop/${name}`;
  return { address: addresses[name] ?? "", workload: id, name: id, labels: { app: name }, ...over };
}

const stranger = (address: string, names?: readonly string[]): FlowEnd => ({
  address,
  name: "world",
  labels: {},
  ...(names === undefined ? {} : { names }),
});

function flow(source: FlowEnd, destination: FlowEnd, over: Partial<Flow> = {}): Flow {
  return {
    source,
    destination,
    start: NOW - 60_000,
    end: NOW - 60_000,
    protocol: 6,
    port: 5432,
    sourcePort: 40_000,
    verdict: "dropped",
    rule: "Policy/shop/walls#egress",
    connections: 2,
    established: 0,
    failed: 2,
    bytes: 120,
    packets: 2,
    ...over,
  };
}

function edgeOf({ start, end: last, ...rest }: Flow): Edge {
  const { sourcePort: _port, cookie: _cookie, direction: _direction, ...edge } = rest;
  return { ...edge, firstSeen: start, lastSeen: last, windows: 1 };
}

function revision(number: number, changes: Partial<Revision["changes"]>): Revision {
  const none = { added: [], changed: [], removed: [], unchanged: [], kept: [] };
  return {
    revision: number,
    time: NOW - 1_000_000 + number,
    kind: "apply",
    author: "ann",
    reason: `reason ${number}`,
    mode: "enforce",
    forced: false,
    changes: { ...none, ...changes },
    given: [],
    resources: [],
    prevHash: "",
    hash: "",
  };
}

async function asked(
  query: WhyQuery,
  files: readonly StoredFile[],
  seen: readonly Flow[] = [],
  revisions: readonly Revision[] = [],
): Promise<WhyAnswer> {
  const all = [INVENTORY, ...files];
  const read = reading(all);
  const fitting = (filter: object) =>
    seen.filter((one) => flowFits({ probes: false, ...filter }, one));
  const answer = await whyDenied(whyQuerySchema.parse(query), {
    inForce: { revision: 9, record: null, held: held(all), reading: read },
    world: buildWorld(read.declared, SHOP),
    modes: {},
    now: NOW,
    flows: async (filter) => fitting(filter),
    edges: async (filter) => fitting(filter).map(edgeOf),
    revisions: async () => revisions,
  });
  return whyAnswerSchema.parse(answer);
}

const WEB_DB = { from: "web", to: "db", port: "5432/tcp" };

describe("which denial", () => {
  const older = flow(end("web"), end("db"));
  const newer = flow(end("evil"), end("db"), { start: NOW - 1000, end: NOW - 1000 });
  const ofMine = flow(end("web", { process: { uid: 1000, name: "psql" } }), end("db"), {
    port: 22,
    start: NOW - 30_000,
  });

  it("is the newest, but the asker's own before others'", async () => {
    expect(await asked({}, [WALLS], [older, ofMine, newer])).toMatchObject({
      from: "shop/evil",
      port: "5432/tcp",
      denial: { yours: false },
    });
    expect(await asked({ uid: 1000 }, [WALLS], [older, ofMine, newer])).toMatchObject({
      from: "shop/web",
      port: "22/tcp",
      denial: { yours: true },
    });
    expect(await asked({ uid: 7 }, [WALLS], [older, ofMine, newer])).toMatchObject({
      from: "shop/evil",
      denial: { yours: false },
    });
  });

  it("is one between the ends that are named, as far as they are", async () => {
    const all = [older, ofMine, newer];
    expect(await asked({ from: "web" }, [WALLS], all)).toMatchObject({ port: "22/tcp" });
    expect(await asked({ from: "shop/web", port: "5432" }, [WALLS], all)).toMatchObject({
      from: "shop/web",
      port: "5432/tcp",
    });
    expect(await asked({ from: "db" }, [WALLS], all)).toEqual({ revision: 9, rules: [] });
    await expect(asked({ from: "wbe" }, [WALLS], all)).rejects.toMatchObject({
      code: "unknown-workload",
    });
  });

  it("tells when it began and how often, over all that was denied alike", async () => {
    const again = { ...older, start: NOW - 500, end: NOW - 400, connections: 5 };
    const { denial } = await asked(WEB_DB, [WALLS], [older, newer, again]);
    expect(denial).toMatchObject({ began: NOW - 60_000, last: NOW - 400, connections: 7 });
  });

  it("to a domain is that of the address it stood for", async () => {
    const out = flow(end("web"), stranger("203.0.113.7", ["api.example.com"]), { port: 443 });
    const answer = await asked({ from: "web", to: "api.example.com" }, [WALLS], [out]);
    expect(answer).toMatchObject({ to: "203.0.113.7", port: "443/tcp", verdict: "drop" });
    expect(answer.draft?.text).toContain("203.0.113.7/32");
  });

  it("of somebody who is gone is told from the record", async () => {
    const gone = flow(end("ghost", { address: "10.9.0.99" }), end("db"));
    expect(await asked({}, [WALLS], [gone])).toMatchObject({
      from: "shop/ghost",
      rules: [],
      denial: { rule: "Policy/shop/walls#egress" },
    });
  });

  it("that the policy in force would let through is told as allowed", async () => {
    const answer = await asked(WEB_DB, [], [older]);
    expect(answer).toMatchObject({ verdict: "allow", rules: [], denial: { connections: 2 } });
    expect(answer.draft).toBeUndefined();
  });
});

describe("whose rule", () => {
  it("has its owner, its commit, and the revision that brought it in this form", async () => {
    const key = "Policy/shop/walls";
    const { rules } = await asked(
      WEB_DB,
      [WALLS],
      [],
      [
        revision(3, { unchanged: [key] }),
        revision(2, { changed: [key] }),
        revision(1, { added: [key] }),
      ],
    );
    expect(rules.map(({ direction }) => direction)).toEqual(["egress", "ingress"]);
    for (const rule of rules) {
      expect(rule).toMatchObject({
        resource: key,
        mode: "enforce",
        owner: "team-shop",
        origin: ORIGIN,
        // Where it lies on the disk of whoever applied it is nobody's concern.
        determinedBy: { source: { file: "team/shop.yaml" } },
        since: { revision: 2, author: "ann", reason: "reason 2" },
      });
    }
  });

  it("names an owner by annotation where it has no other, and no commit where there was none", async () => {
    const { rules } = await asked(WEB_DB, [DOOR]);
    expect(rules).toHaveLength(1);
    expect(rules[0]).toMatchObject({ direction: "ingress", owner: "doorkeepers" });
    expect(rules[0]?.origin).toBeUndefined();
    expect(rules[0]?.since).toBeUndefined();
  });
});

describe("the draft", () => {
  it("is an Intent for both ends, in the file of what denies them, and lets it through", async () => {
    const { draft } = await asked(WEB_DB, [WALLS]);
    expect(draft).toMatchObject({ kind: "Intent", file: "team/shop.yaml", exists: true });
    const after = [WALLS, { name: "draft.yaml", text: draft?.text ?? "" }];
    expect(await asked(WEB_DB, after)).toMatchObject({ verdict: "allow" });
    expect(await asked({ ...WEB_DB, from: "evil" }, after)).toMatchObject({ verdict: "drop" });
  });

  it("is an Intent where one end denies and the other is judged already", async () => {
    const out: StoredFile = {
      name: "out.yaml",
      text: `${API}
kind: Policy
metadata: { name: out, namespace: shop }
spec: { subject: "app=web", egress: [{ to: [app=db], ports: [5432/tcp] }] }
`,
    };
    const { draft } = await asked(WEB_DB, [DOOR, out]);
    expect(draft).toMatchObject({ kind: "Intent", file: "door.yaml", exists: true });
  });

  it("isolates nobody whom nothing isolates yet: then only the end that denies is spoken of", async () => {
    const { draft } = await asked(WEB_DB, [DOOR]);
    expect(draft?.kind).toBe("Policy");
    const after = [DOOR, { name: "draft.yaml", text: draft?.text ?? "" }];
    expect(await asked(WEB_DB, after)).toMatchObject({ verdict: "allow" });
    const elsewhere = { from: "web", to: "evil", port: "80/tcp" };
    expect(await asked(elsewhere, after)).toMatchObject({ verdict: "allow" });
  });

  it("is none where it could not help, and says what is in the way", async () => {
    const answer = await asked(WEB_DB, [GUARD]);
    expect(answer.draft).toBeUndefined();
    expect(answer.inTheWay).toContain("Policy/shop/guard");
  });
});
