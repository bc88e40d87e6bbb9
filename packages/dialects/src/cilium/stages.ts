/** The stage of policies whose subjects are nodes: a plane of its own, since a node's traffic is never judged as a pod's. */
import type { RankedStage } from "../dialect.ts";

export const HOST_STAGE: RankedStage = {
  id: "host",
  rank: 251,
  plane: "host",
  mode: "denyOverrides",
  endIfApplied: "deny",
};
