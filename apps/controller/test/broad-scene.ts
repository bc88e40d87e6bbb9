/** A rule of a small shop, what was recorded, and what is told of the rule: as the controller would, without one. */
import type { Edge, ReadinessState } from "@bulkhead/model";
import { hashText, type StoredFile } from "@bulkhead/store";
import { readPolicy } from "../src/policy/reading.ts";
import { broadOf, type BroadInput } from "../src/queries/broad.ts";
import { buildWorld } from "../src/world/world.ts";
import { held, INVENTORY, NOW, SHOP } from "./fixtures.ts";

export const DAY = 86_400_000;
export const policy = (rules: string): StoredFile => ({
  name: "db.yaml",
  text: `apiVersion: bulkhead.dev/v1
kind: Policy
metadata: { name: db, namespace: shop } # the database
spec:
  subject: app=db
  ingress:
${rules}`,
});

export const edge = (port: number, more: Partial<Edge> = {}): Edge => ({
  source: { address: "10.9.0.10", workload: "shop/web", name: "shop/web", labels: {} },
  destination: { address: "10.9.0.11", workload: "shop/db", name: "shop/db", labels: {} },
  protocol: 6,
  port,
  verdict: "forwarded",
  connections: 1,
  established: 1,
  failed: 0,
  bytes: 1,
  packets: 1,
  firstSeen: NOW - 5 * DAY,
  lastSeen: NOW - DAY,
  windows: 1,
  ...more,
});

export interface Given {
  readonly before?: readonly Edge[];
  readonly state?: ReadinessState;
  readonly born?: number;
  readonly oldest?: number;
  readonly others?: readonly StoredFile[];
  readonly mode?: "audit" | "enforce";
  readonly inventory?: StoredFile;
  /** Of whom `state` is told. */
  readonly workloads?: readonly string[];
}

export const broad = (file: StoredFile, recent: readonly Edge[], given: Given = {}) =>
  broadOf(broadInput(file, recent, given));

export function broadInput(
  file: StoredFile,
  recent: readonly Edge[],
  given: Given = {},
): BroadInput {
  const { before = [], state = "ready", born = NOW - 90 * DAY, others = [] } = given;
  const files = [given.inventory ?? INVENTORY, file, ...others];
  const inForce = held(files, given.mode);
  const reading = readPolicy(inForce, { now: NOW, strict: false });
  const subject = {
    kind: "group",
    name: "shop",
    workloads: given.workloads ?? ["shop/db", "shop/web"],
  };
  return {
    held: inForce,
    texts: new Map(files.map(({ text }) => [hashText(text), text])),
    inventory: buildWorld(reading.declared, SHOP).inventory,
    edges: [...before, ...recent],
    recent,
    born: new Map(inForce.map(({ stored }) => [stored.key, born])),
    readiness: [{ state, subject }] as unknown as BroadInput["readiness"],
    since: NOW - 30 * DAY,
    oldest: given.oldest ?? NOW - 60 * DAY,
    days: 28,
    now: NOW,
  };
}
