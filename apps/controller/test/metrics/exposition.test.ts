/** Metrics as text: what Prometheus' own tool finds nothing wrong with, in the form that was asked for. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CONTENT_TYPES, exposition, formOf } from "../../src/metrics/exposition.ts";
import { by, counter, gauge, plain, type Family } from "../../src/metrics/family.ts";

const FAMILIES: readonly Family[] = [
  gauge("workloads", "Workloads by mode.", ...by("mode", { audit: 1, enforce: 2.5 })),
  counter("drift_events", "Drift: 1\\2\nso", plain(3)),
  gauge("odd", "Odd names.", { labels: { source: 'a"b\\c\nd' }, value: Number.NaN }),
  {
    kind: "histogram",
    name: "bulkhead_delay_seconds",
    help: "Delay.",
    distributions: [
      {
        labels: { host: "a" },
        below: [
          [1, 2],
          [2.5, 3],
        ],
        count: 4,
        sum: 9.5,
      },
    ],
  },
];

it("writes Prometheus' text", () => {
  expect(exposition(FAMILIES, "text")).toBe(
    [
      "# HELP bulkhead_workloads Workloads by mode.",
      "# TYPE bulkhead_workloads gauge",
      'bulkhead_workloads{mode="audit"} 1',
      'bulkhead_workloads{mode="enforce"} 2.5',
      "# HELP bulkhead_drift_events_total Drift: 1\\\\2\\nso",
      "# TYPE bulkhead_drift_events_total counter",
      "bulkhead_drift_events_total 3",
      "# HELP bulkhead_odd Odd names.",
      "# TYPE bulkhead_odd gauge",
      'bulkhead_odd{source="a\\"b\\\\c\\nd"} NaN',
      "# HELP bulkhead_delay_seconds Delay.",
      "# TYPE bulkhead_delay_seconds histogram",
      'bulkhead_delay_seconds_bucket{host="a",le="1.0"} 2',
      'bulkhead_delay_seconds_bucket{host="a",le="2.5"} 3',
      'bulkhead_delay_seconds_bucket{host="a",le="+Inf"} 4',
      'bulkhead_delay_seconds_sum{host="a"} 9.5',
      'bulkhead_delay_seconds_count{host="a"} 4',
      "",
    ].join("\n"),
  );
});

it("writes OpenMetrics, whose counters are called without their ending, and which ends", () => {
  const text = exposition(FAMILIES, "openmetrics");
  expect(text).toContain("# TYPE bulkhead_drift_events counter\nbulkhead_drift_events_total 3\n");
  expect(text.endsWith("# EOF\n")).toBe(true);
});

it("gives each scraper the form that it asks for", () => {
  const prometheus =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  expect(formOf(prometheus)).toBe("openmetrics");
  expect(formOf("text/plain")).toBe("text");
  expect(formOf(undefined)).toBe("text");
  expect(CONTENT_TYPES.text).toContain("version=0.0.4");
});

describe("promtool", () => {
  const promtool = (args: readonly string[], input = "") =>
    spawnSync("promtool", [...args], { input, encoding: "utf8" });

  it("finds nothing wrong with the form", () => {
    const { status, stderr } = promtool(["check", "metrics"], exposition(FAMILIES, "text"));
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("finds alerts where they should be, and none where not", () => {
    const { status, stdout, stderr } = promtool([
      "test",
      "rules",
      join(import.meta.dirname, "alerts.test.yml"),
    ]);
    expect([status, stdout + stderr]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });
});
