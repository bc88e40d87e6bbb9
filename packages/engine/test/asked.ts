/**
 * A small world to ask the reference about. Expectations come from the common form's description, not from running it; the
 * compiled maps are held to every case on the way.
 */
import { TCP, UDP, type PolicySet, type FlowQuery, type Stage } from "@bulkhead/model";
import { decide, indexInventory, type View } from "../src/index.ts";
import { holdCompiledTo } from "./agreement.ts";
import { block, inventory, policySet, stage, T0, workload } from "./small-sets.ts";

const named = [
  { name: "http", protocol: TCP, port: 8080 },
  { name: "http", protocol: TCP, port: 8081 },
  { name: "dns", protocol: UDP, port: 53 },
  { name: "admin", protocol: TCP, port: 9000 },
];
export const web = workload(
  "shop/web",
  ["10.0.0.1", "fd00::1"],
  { app: "web" },
  { namedPorts: named },
);
export const db = workload("shop/db", "10.0.0.2", { app: "db" });
export const ops = workload("ops/job", "10.0.0.3", { app: "job" });
export const index = indexInventory(
  inventory([web, db, ops], ["10.0.0.254", "fd00::fe"], [{ name: "shop", labels: { team: "x" } }]),
);

export const WORLD = "192.0.2.1";
export const toWeb: FlowQuery = {
  source: "10.0.0.2",
  destination: "10.0.0.1",
  protocol: TCP,
  port: 80,
};

export function ask(set: PolicySet, query: Partial<FlowQuery> = {}, view: View = "live", now = T0) {
  const flow = { ...toWeb, ...query };
  const said = decide(set, index, flow, { now, view });
  holdCompiledTo(said, set, index.inventory, flow, { now, view });
  return said;
}

/** `drop rule deny/0`, `drop isolation block`, `allow default`, `allow hairpin`. */
export function ingress(
  set: PolicySet,
  query: Partial<FlowQuery> = {},
  view: View = "live",
  now = T0,
) {
  const { verdict, determinedBy: by } = ask(set, query, view, now).ingress;
  switch (by.kind) {
    case "rule":
      return `${verdict} ${by.rule}`;
    case "isolation":
      return `${verdict} isolation ${by.block}`;
    case "default":
      return `${verdict} default`;
    case "exemption":
      return `${verdict} ${by.exemption}`;
  }
}

/** One stage with one block for web's ingress. */
export function one(
  mode: Stage["mode"],
  rules: Parameters<typeof block>[3],
  isolates = true,
): PolicySet {
  return policySet([
    stage("s", mode, [block("b", "ingress", "shop:app=web", rules, { isolates })]),
  ]);
}
