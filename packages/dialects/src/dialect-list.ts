/** Dialects that other products brought into the world, one line each. */
import type { Dialect } from "./dialect.ts";
import { istio } from "./istio/index.ts";

export const DIALECTS: readonly Dialect[] = [istio];
