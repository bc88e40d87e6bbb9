/** What every step of the demo works with. */
import type { Lab } from "@bulkhead/example-shop";
import type { Bulkhead } from "./bulkhead-cli.ts";
import type { Claims } from "./claims.ts";
import type { Screen } from "./screen.ts";
import type { Sabotage } from "./sabotage.ts";
import type { TrueEdge } from "./truth.ts";

export interface Demo {
  readonly lab: Lab;
  readonly bulkhead: Bulkhead;
  readonly screen: Screen;
  readonly claims: Claims;
  readonly truth: readonly TrueEdge[];
  readonly sabotage: Sabotage | undefined;
  /** Leave everything up and enforced. */
  readonly keep: boolean;
  /** Figures for `--json`, by step. */
  readonly figures: Record<string, unknown>;
  /** Aborted on Ctrl-C: steps end at their next wait. */
  readonly stop: AbortSignal;
}

export const RATE = 32; // customers' requests a second
