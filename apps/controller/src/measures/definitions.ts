/** What M1 to M8 are called, what they should be, and which side of that is well. `docs/measures.md` says how each is made. */
import type { MeasureView } from "@bulkhead/api";

export type MeasureId = MeasureView["id"];
export type Definition = Pick<MeasureView, "id" | "name" | "unit" | "target" | "aim">;

const MINUTE_S = 60;

export const DEFINITIONS: Readonly<Record<MeasureId, Definition>> = {
  M1: { id: "M1", name: "policy coverage", unit: "ratio", target: 0.9, aim: "at-least" },
  M2: { id: "M2", name: "unauthorized flow rate", unit: "ratio", target: 0.001, aim: "below" },
  M3: { id: "M3", name: "time to repair", unit: "seconds", target: 240 * MINUTE_S, aim: "below" },
  M4: { id: "M4", name: "drift", unit: "per-week", target: 5, aim: "below" },
  M5: { id: "M5", name: "added P95 latency", unit: "ratio", target: 0.05, aim: "below" },
  M6: { id: "M6", name: "failed rule installs", unit: "ratio", target: 0.01, aim: "below" },
  M7: { id: "M7", name: "false denies", unit: "ratio", target: 0.0005, aim: "below" },
  M8: {
    id: "M8",
    name: "violation to alert",
    unit: "seconds",
    target: 15 * MINUTE_S,
    aim: "below",
  },
};

export function isMet({ target, aim }: Definition, value: number): boolean {
  return aim === "at-least" ? value >= target : value < target;
}
