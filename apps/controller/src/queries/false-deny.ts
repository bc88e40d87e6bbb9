/** Somebody says that what was denied should not have been: the denials on record that are meant, as one incident. */
import { ApiFailure, type FalseDenyAnswer } from "@bulkhead/api";
import { formatPort, isOwnRecord } from "@bulkhead/model";
import type { FlowStore } from "@bulkhead/store";
import type { FlowIntake } from "../flows/flow-intake.ts";
import { fingerprintOf } from "../measures/denied.ts";
import type { Measures } from "../measures/measures.ts";

export interface FalseDenyContext {
  readonly flows: Pick<FlowStore, "edges">;
  readonly intake: Pick<FlowIntake, "flush">;
  readonly measures: Pick<Measures, "reportFalseDeny">;
  readonly now: () => number;
}

export interface FalseDenyGiven {
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly author: string;
  readonly reason: string;
}

export async function reportFalseDeny(
  { from, to, port, author, reason }: FalseDenyGiven,
  { flows, intake, measures, now }: FalseDenyContext,
): Promise<FalseDenyAnswer> {
  await intake.flush();
  const denied = await flows.edges({
    probes: false,
    verdicts: ["dropped", "rejected"],
    from: [from],
    to: [to],
  });
  const meant = denied.filter(
    (edge) => isOwnRecord(edge) && formatPort(edge.protocol, edge.port) === port,
  );
  const [first] = meant;
  if (first === undefined) {
    throw new ApiFailure("bad-request", `no denial of ${from} → ${to} ${port} is on record`, {
      help: "`bulkhead observe --verdict dropped,rejected` lists what was denied",
    });
  }
  return measures.reportFalseDeny({
    subject: fingerprintOf(first),
    connections: meant.reduce((sum, { connections }) => sum + connections, 0),
    since: now(),
    author,
    reason,
  });
}
