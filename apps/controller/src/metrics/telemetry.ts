/** What the state directory and the environment say of where metrics go; the environment goes first. */
import { existsSync, readFileSync } from "node:fs";
import { isReceiver, parseListen, telemetryFileSchema, type ListenAddress } from "@bulkhead/api";

export interface Telemetry {
  readonly metrics?: ListenAddress;
  /** Base URL of an OTLP/HTTP receiver: metrics go to its `/v1/metrics`. */
  readonly otlp?: string;
}

export function readTelemetry(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Telemetry {
  const told = existsSync(path)
    ? telemetryFileSchema.parse(JSON.parse(readFileSync(path, "utf8")))
    : {};
  const { metrics = "", otlp = "" } = {
    metrics: env["BULKHEAD_METRICS"] ?? told.metrics,
    otlp: env["BULKHEAD_OTLP"] ?? told.otlp,
  };
  const address = metrics === "" ? undefined : parseListen(metrics);
  if (otlp !== "" && !isReceiver(otlp))
    throw new Error("what to push to is not a URL (http or https)");
  if (address === null) throw new Error(`\`${metrics}\` is not an address to be scraped at`);
  return {
    ...(address === undefined ? {} : { metrics: address }),
    ...(otlp === "" ? {} : { otlp }),
  };
}
