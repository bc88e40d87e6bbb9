/** Where metrics go: said once, kept until something else is said, and nowhere when nobody asks. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseListen } from "@bulkhead/api";
import { layoutOf } from "../src/process/layout.ts";
import { keepTelemetry, telemetryOf } from "../src/process/telemetry.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhk-telemetry-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each([
  ["9464", { host: "127.0.0.1", port: 9464 }],
  ["0.0.0.0:9464", { host: "0.0.0.0", port: 9464 }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["metrics.example.org:9464", { host: "metrics.example.org", port: 9464 }],
  ["0", null],
  ["65536", null],
  ["::1:80", null],
  ["http://127.0.0.1:9464", null],
  ["", null],
])("reads %s", (text, address) => {
  expect(parseListen(text)).toEqual(address);
});

it("keeps what was said until something else is, and for its owner alone", () => {
  const layout = layoutOf(folder);
  const file = layout.telemetry;
  expect(keepTelemetry(layout, telemetryOf({}))).toBe(false);
  expect(existsSync(file)).toBe(false);
  expect(keepTelemetry(layout, telemetryOf({ metrics: "9464" }))).toBe(true);
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ metrics: "9464" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(keepTelemetry(layout, telemetryOf({ metrics: "9464" }))).toBe(false);
  expect(keepTelemetry(layout, telemetryOf({}))).toBe(false);
  expect(keepTelemetry(layout, telemetryOf({ metrics: "off" }))).toBe(true);
  expect(existsSync(file)).toBe(false);
});

it("keeps a receiver beside it, and takes back one of the two", () => {
  const layout = layoutOf(folder);
  const otlp = "https://me:secret@otel.example.org:4318";
  expect(keepTelemetry(layout, telemetryOf({ metrics: "9464", otlp }))).toBe(true);
  expect(keepTelemetry(layout, telemetryOf({ metrics: "off" }))).toBe(true);
  expect(JSON.parse(readFileSync(layout.telemetry, "utf8"))).toEqual({ otlp });
  expect(() => telemetryOf({ otlp: "otel:4318" })).toThrow(/is not a URL/);
});

it("refuses what is no address, and a file that says something else", () => {
  expect(() => telemetryOf({ metrics: "everywhere" })).toThrow(/not an address to be scraped at/);
  const layout = layoutOf(folder);
  writeFileSync(layout.telemetry, '{"metric":"9464"}');
  expect(() => keepTelemetry(layout, {})).toThrow(/does not say where metrics go/);
});
