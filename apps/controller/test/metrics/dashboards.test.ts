/** Dashboards as Grafana reads them (its classic dashboard model), with the panels that each of them is for. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { dashboards } from "./dashboards.ts";

const PANELS: Readonly<Record<string, readonly string[]>> = {
  "executive.json": ["Policy coverage (M1)", "Unauthorized flow trend", "Mean time to repair (M3)"],
  "on-call.json": [
    "Recent denied flows",
    "Top services with false denies",
    "Agents connected",
    "Agent errors",
    "Active policy change",
    "CI runs",
  ],
  "debug.json": [
    "Flow-level traces",
    "Denied connections and their rules",
    "Rules",
    "Agent logs",
    "Memory",
    "Connectivity, now and before",
  ],
};

it.each(Object.entries(PANELS))("%s has what it is for", (file, titles) => {
  const found = dashboards().find((one) => one.file === file);
  expect(found?.panels.map(({ title }) => title)).toEqual(expect.arrayContaining([...titles]));
});

it.each(dashboards())("$file: panels lie side by side, each with an id and a source", (board) => {
  const { panels, uid, schemaVersion, templating } = board;
  expect(uid).toMatch(/^bulkhead-/);
  expect(schemaVersion).toBeGreaterThanOrEqual(36);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(templating.list.map(({ name, type, query }) => [name, type, query])).toEqual([
    ["datasource", "datasource", "prometheus"],
  ]);
  for (const { type, targets = [], datasource, gridPos } of panels) {
    expect(["stat", "table", "text", "timeseries"]).toContain(type);
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    expect(targets.length > 0).toBe(type !== "text");
    expect(datasource?.uid).toBe(type === "text" ? undefined : "${datasource}");
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  }
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});

it("asks only for metrics that there are", () => {
  const source = readFileSync(new URL("../../src/metrics/families.ts", import.meta.url), "utf8");
  const asked = dashboards()
    .flatMap(({ panels }) => panels)
    .flatMap(({ targets = [] }) => targets)
    .flatMap(({ expr }) => expr.match(/bulkhead_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(30);
  for (const name of new Set(asked)) {
    const bare = name.replace(/^bulkhead_/, "").replace(/_(?:total|bucket)$/, "");
    expect(source).toContain(`${bare}"`);
  }
});
