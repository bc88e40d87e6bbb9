/** Small compilations, and what they come to in words that a test can hold. */
import { expect } from "vitest";
import type { Block, MapSet, PolicyMap, PolicySet, Row, Workload } from "@bulkhead/model";
import { compile, type CompileResult } from "../src/index.ts";
import { block, inventory, nativeSet, T0, workload } from "./small-sets.ts";
import { endpointOf } from "./worlds.ts";

export const web = workload("shop/web", "10.0.0.1", { app: "web" });
export const db = workload("shop/db", ["10.0.0.2", "fd00::2"], { app: "db" });
export const cache = workload("shop/cache", "10.0.0.3", { app: "cache" });
export const world = inventory([web, db, cache], ["10.0.0.254"]);

export function compiled(
  set: PolicySet,
  local: readonly Workload[] = [db],
  all = world,
): CompileResult {
  return compile(set, all, { now: T0, revision: 7, endpoints: local.map(endpointOf) });
}

/** One application block on db's ingress. */
export function onDb(rules: Parameters<typeof block>[3], more: Partial<Block> = {}): PolicySet {
  return nativeSet({ application: [block("db", "ingress", "shop:app=db", rules, more)] });
}

export function onlyMap(maps: MapSet): PolicyMap {
  expect(maps.maps).toHaveLength(1);
  return maps.maps[0]!;
}

/** `tcp 80-80 allow by rule/id, else drop by block/id`. */
export function rowText({ policy, cookies }: CompileResult, id: string): string {
  const names = new Map(cookies.map(({ cookie, rule: name }) => [cookie, name]));
  const row: Row = policy.rows.find((one) => one.id === id)!;
  const say = ({ verdict, cookie }: Row["others"]) =>
    `${verdict} by ${cookie === "00000000" ? "default" : names.get(cookie)}`;
  const parts = row.protocols.flatMap(({ protocol, intervals }) =>
    intervals.map(({ first, last, decision }) => `${protocol}/${first}-${last} ${say(decision)}`),
  );
  return [...parts, `else ${say(row.others)}`].join(", ");
}

export function mapText(result: CompileResult, map = onlyMap(result.policy.live)) {
  return {
    exact: map.exact.map(([address, row]) => `${address}: ${rowText(result, row)}`),
    ranges: map.ranges.map(([first, last, row]) => `${first}-${last}: ${rowText(result, row)}`),
    default: rowText(result, map.defaultRow),
  };
}
