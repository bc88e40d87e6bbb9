/** Where metrics go: what `up` was told of it, kept in the state directory, so that it outlives a restart of the machine. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isReceiver, parseListen, telemetryFileSchema, type TelemetryFile } from "@bulkhead/api";
import { badInput } from "../failure.ts";
import type { Layout } from "./layout.ts";

const OFF = "off";

/** What was said on the command line; `off` takes back what was said before. */
export function telemetryOf({ metrics, otlp }: TelemetryFile): TelemetryFile {
  if (metrics !== undefined && metrics !== OFF && parseListen(metrics) === null) {
    throw badInput(
      `\`${metrics}\` is not an address to be scraped at`,
      "write 9464, 127.0.0.1:9464 or [::1]:9464; or off",
    );
  }
  if (otlp !== undefined && otlp !== OFF && !isReceiver(otlp)) {
    throw badInput(
      "what to push metrics to is not a URL",
      "write http://127.0.0.1:4318, where an OTLP/HTTP receiver listens; or off",
    );
  }
  return {
    ...(metrics === undefined ? {} : { metrics }),
    ...(otlp === undefined ? {} : { otlp }),
  };
}

/** True when it is another than before. */
export function keepTelemetry({ telemetry: path }: Layout, told: TelemetryFile): boolean {
  const before = existsSync(path) ? readFileSync(path, "utf8") : "{}\n";
  const merged = Object.entries({ ...readFile(path, before), ...told }).filter(
    ([, value]) => value !== OFF,
  );
  const text = `${JSON.stringify(Object.fromEntries(merged))}\n`;
  if (text === before) return false;
  if (merged.length === 0) rmSync(path, { force: true });
  // A collector's URL may hold a password.
  else writeFileSync(path, text, { mode: 0o600 });
  return true;
}

function readFile(path: string, text: string): TelemetryFile {
  try {
    return telemetryFileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw badInput(
      `\`${path}\` does not say where metrics go: ${error instanceof Error ? error.message : String(error)}`,
      "remove it",
    );
  }
}
