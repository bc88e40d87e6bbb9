/** Starts what telemetry was asked for: an address to be scraped at, a receiver to push to. Whatever fails of it holds nothing else up. */
import type { Logger } from "pino";
import type { RuleHits } from "@bulkhead/api";
import type { Controller } from "../controller.ts";
import { startEndpoint } from "./endpoint.ts";
import { createGatherer } from "./gather.ts";
import { startOtlp } from "./otlp.ts";
import type { Telemetry } from "./telemetry.ts";

export interface TelemetryDeps {
  readonly controller: Pick<Controller, "measures" | "state" | "status" | "alarm" | "now">;
  readonly rules: () => Promise<readonly RuleHits[]>;
  readonly log: Logger;
  readonly version: string;
}

/** `read` throws where what was asked for cannot be understood. */
export function startTelemetry(
  read: () => Telemetry,
  { controller, rules, log, version }: TelemetryDeps,
): { stop(): Promise<void> } {
  const problem = (text: string): void => {
    log.error(text);
    controller.alarm("telemetry", text);
  };
  let asked: Telemetry = {};
  try {
    asked = read();
  } catch (error) {
    problem(`metrics go nowhere: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { metrics, otlp } = asked;
  const gather = createGatherer({ ...controller, rules });
  const endpoint =
    metrics === undefined ? undefined : startEndpoint(metrics, { gather, log, onProblem: problem });
  const pushed =
    otlp === undefined ? undefined : startOtlp(otlp, { gather, log, now: controller.now, version });
  return {
    async stop() {
      await pushed?.stop();
      await endpoint?.stop();
    },
  };
}
