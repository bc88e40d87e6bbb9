/** What is proposed for a denied flow allows it, and no part of it does; what cannot be proposed is named. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ICMP, TCP, UDP, type Block, type FlowQuery, type PolicySet } from "@bulkhead/model";
import { decide, explain, indexInventory, type SmallestChange } from "../src/index.ts";
import { claim, enough, failureOf } from "./check.ts";
import { aimed, flowsArbitrary, inventoryArbitrary, NOW, policySetArbitrary } from "./worlds.ts";
import {
  any,
  block,
  chosen,
  cidr,
  inventory,
  nativeSet,
  rule,
  T0,
  tcp,
  workload,
} from "./small-sets.ts";

const LIVE = { now: T0, view: "live" } as const;
const web = workload("shop/web", "10.0.0.1", { app: "web", "pod-template-hash": "abc12" });
const db = workload("shop/db", "10.0.0.2", { app: "db" });
const other = workload("ops/scraper", "10.0.0.3", { app: "scraper", role: "metrics" });
const bare = workload("ops/bare", "10.0.0.4");
const index = indexInventory(inventory([web, db, other, bare]));
const toDb: FlowQuery = { source: "10.0.0.1", destination: "10.0.0.2", protocol: TCP, port: 5432 };
const lockIn = block("db-in", "ingress", "shop:app=db", []);
const lockOut = block("web-out", "egress", "shop:app=web", []);

function change(set: PolicySet, query: FlowQuery): SmallestChange | null {
  return explain(set, index, query, LIVE).smallestChange;
}

describe("smallestChange", () => {
  it("is nothing for a flow that is allowed", () => {
    expect(change(nativeSet({}), toDb)).toBeNull();
  });

  it("allows at the one end that denies", () => {
    expect(change(nativeSet({ application: [lockIn] }), toDb)).toEqual({
      kind: "add",
      fillIn: [],
      manifest: {
        apiVersion: "bulkhead.dev/v1",
        kind: "Policy",
        metadata: { name: "allow-web-to-db-5432-tcp", namespace: "shop" },
        spec: { subject: "app=db", ingress: [{ from: ["app=web"], ports: ["5432/tcp"] }] },
      },
    });
    expect(change(nativeSet({ application: [lockOut] }), toDb)).toMatchObject({
      manifest: { kind: "Policy", spec: { subject: "app=web", egress: [{ to: ["app=db"] }] } },
    });
  });

  it("is one Intent when both ends deny", () => {
    expect(change(nativeSet({ application: [lockIn, lockOut] }), toDb)).toEqual({
      kind: "add",
      fillIn: [],
      manifest: {
        apiVersion: "bulkhead.dev/v1",
        kind: "Intent",
        metadata: { name: "allow-web-to-db-5432-tcp", namespace: "shop" },
        spec: { from: "app=web", to: "app=db", ports: ["5432/tcp"] },
      },
    });
  });

  it("names ends by what they are: another namespace, the host, an address of the world", () => {
    const set = nativeSet({ application: [lockIn, lockOut] });
    const from = (source: string) => change(set, { ...toDb, source });
    expect(from("10.0.0.3")).toMatchObject({
      manifest: {
        spec: { ingress: [{ from: [{ namespace: "ops", selector: "app=scraper,role=metrics" }] }] },
      },
    });
    expect(from("2001:db8::7")).toMatchObject({
      manifest: {
        metadata: { name: "allow-2001-db8-7-to-db-5432-tcp" },
        spec: { ingress: [{ from: [{ cidr: "2001:db8::7/128" }] }] },
      },
    });
    expect(
      change(set, { ...toDb, destination: "10.0.0.254", protocol: UDP, port: 53 }),
    ).toMatchObject({
      manifest: {
        metadata: { name: "allow-web-to-host-53-udp" },
        spec: { egress: [{ to: [{ entity: "host" }], ports: ["53/udp"] }] },
      },
    });
    expect(
      change(set, { ...toDb, destination: "192.0.2.1", protocol: ICMP, port: 8 * 256 }),
    ).toMatchObject({
      manifest: {
        spec: { egress: [{ to: [{ cidr: "192.0.2.1/32" }], ports: ["icmp/echo-request"] }] },
      },
    });
  });

  it("is an Exception above a deny of the application's own, with a stand-in for what a person must say", () => {
    const deny = block("db-deny", "ingress", "shop:app=db", [rule("deny", [any])]);
    expect(change(nativeSet({ application: [deny, lockOut] }), toDb)).toEqual({
      kind: "add",
      fillIn: ["owner", "reason", "expires"],
      manifest: {
        apiVersion: "bulkhead.dev/v1",
        kind: "Exception",
        metadata: { name: "allow-web-to-db-5432-tcp", namespace: "shop" },
        spec: {
          from: "app=web",
          to: "app=db",
          ports: ["5432/tcp"],
          owner: "<who answers for it>",
          reason: "<why it is needed>",
          expires: "2023-11-15T22:13:20.000Z",
        },
      },
    });
  });

  it("names the guardrail that stands in the way", () => {
    const guardrail = block(
      "no-db",
      "egress",
      "shop:",
      [rule("deny", [chosen("shop:app=db")], [tcp(5432)])],
      { isolates: false },
    );
    const found = change(nativeSet({ guardrail: [guardrail], application: [lockIn] }), toDb);
    expect(found).toMatchObject({
      kind: "blocked",
      by: [{ kind: "rule", stage: "guardrail", rule: "no-db/0" }],
      reason: "cannot be allowed from below: rule `no-db/0` (test.yaml:1) must change",
    });
  });

  it("says that a workload without labels of its own cannot be named", () => {
    const set = nativeSet({ application: [lockIn] });
    expect(change(set, { ...toDb, source: "10.0.0.4" })).toEqual({
      kind: "blocked",
      by: [],
      reason: "workload `ops/bare` has no label that a policy could name it by",
    });
  });

  it("allows the flow, and no part of it does: on random policies", () => {
    const stages = fc.tuple(policySetArbitrary, policySetArbitrary, policySetArbitrary);
    const seen = new Map<string, number>();
    const minimal = fc.property(
      stages,
      inventoryArbitrary,
      flowsArbitrary,
      ([guardrails, applications, baselines], world, samples) => {
        const set = nativeSet({
          guardrail: blocksOf(guardrails).map((one) => ({ ...one, isolates: false })),
          application: blocksOf(applications),
          baseline: blocksOf(baselines).map((one) => ({ ...one, isolates: false })),
        });
        const known = indexInventory(world);
        for (const query of aimed(world, samples)) {
          const options = { now: NOW, view: "live" } as const;
          const found = explain(set, known, query, options).smallestChange;
          const verdict = decide(set, known, query, options).verdict;
          claim((found === null) === (verdict === "allow"), "a change for what is allowed", query);
          if (found === null) continue;
          const kind = found.kind === "add" ? found.manifest.kind : found.kind;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
          if (found.kind === "blocked") {
            claim(found.by.length > 0 || found.reason.includes("no label"), "no reason", found);
            continue;
          }
          const whole = partsOf(found, known, query);
          const allowedWith = (parts: readonly Block[]) =>
            decide(adding(set, kind, parts), known, query, options).verdict === "allow";
          claim(allowedWith(whole), "does not allow", { query, found });
          if (kind === "Exception") {
            claim(!allowedIn(set, "Intent", whole, known, query), "an Intent would do", query);
          } else {
            for (const part of whole) {
              claim(!allowedWith(whole.filter((one) => one !== part)), "a part would do", query);
            }
          }
        }
      },
    );
    expect(failureOf(minimal, 300)).toBe("");
    const kinds = ["Policy", "Intent", "Exception", "blocked"];
    expect(kinds.filter((kind) => (seen.get(kind) ?? 0) < enough(20))).toEqual([]);
  });
});

function blocksOf(set: PolicySet): Block[] {
  return set.stages.flatMap((one) => one.blocks);
}

/** The blocks that the proposed resource stands for, written down here anew from its manifest. */
function partsOf(
  found: Extract<SmallestChange, { kind: "add" }>,
  known: ReturnType<typeof indexInventory>,
  query: FlowQuery,
): Block[] {
  const { spec } = found.manifest;
  const [from, to] = [known.at(query.source), known.at(query.destination)];
  const ends = [
    { direction: "egress" as const, subject: from, peer: to },
    { direction: "ingress" as const, subject: to, peer: from },
  ].filter(
    ({ direction, subject }) =>
      subject.kind === "workload" && (!("subject" in spec) || spec[direction] !== undefined),
  );
  return ends.map(({ direction, subject, peer }) =>
    block(`new#${direction}`, direction, byLabels(subject), [
      rule(
        "allow",
        [peerFor(peer)],
        [{ kind: "range", protocol: query.protocol, first: query.port, last: query.port }],
      ),
    ]),
  );
}

type Place = ReturnType<ReturnType<typeof indexInventory>["at"]>;

function byLabels({ workload: owner }: Place) {
  const text = Object.entries(owner!.labels).map(([key, value]) => `${key}=${value}`);
  return chosen(`${owner!.namespace}:${text.join(",")}`);
}

function peerFor(place: Place) {
  if (place.kind === "workload") return byLabels(place);
  if (place.kind === "host") return { kind: "entity" as const, entity: "host" as const };
  return cidr(`${place.address}/${place.family === 4 ? 32 : 128}`);
}

function adding(set: PolicySet, kind: string, parts: readonly Block[]): PolicySet {
  const stage = kind === "Exception" ? "exception" : "application";
  return {
    ...set,
    stages: set.stages.map((one) =>
      one.id === stage
        ? {
            ...one,
            blocks: [
              ...one.blocks,
              ...parts.map((part) => ({ ...part, isolates: stage === "application" })),
            ],
          }
        : one,
    ),
  };
}

function allowedIn(
  set: PolicySet,
  kind: string,
  parts: readonly Block[],
  known: ReturnType<typeof indexInventory>,
  query: FlowQuery,
): boolean {
  return (
    decide(adding(set, kind, parts), known, query, { now: NOW, view: "live" }).verdict === "allow"
  );
}
