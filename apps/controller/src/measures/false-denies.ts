/**
 * Which denials a change of policy proves to have been wrong: what was denied, and is permitted now by a rule that somebody
 * wrote; or, where a change was taken back, what had been passing before it was denied.
 */
import type { ReplayAnswer } from "@bulkhead/api";
import type { Edge } from "@bulkhead/model";
import { fingerprintOf, isQuarantined, isScan } from "./denied.ts";

export interface FalseDeny {
  readonly subject: string;
  readonly connections: number;
  /** Its first denial on record. */
  readonly since: number;
}

type Permitted = ReplayAnswer["newlyAllowed"][number];

/** `passedBefore`: whether connections of this fingerprint were recorded as passing before a moment. */
export function falseDenies(
  newlyAllowed: readonly Permitted[],
  takenBack: boolean,
  passedBefore: (fingerprint: string, before: number) => boolean,
): readonly FalseDeny[] {
  const found = new Map<string, FalseDeny>();
  for (const one of newlyAllowed) {
    const edge = one.edge as Edge;
    if (edge.verdict !== "dropped" && edge.verdict !== "rejected") continue;
    if (isQuarantined(edge) || isScan(edge)) continue;
    const subject = fingerprintOf(edge);
    const wrong = isGranted(one) || (takenBack && passedBefore(subject, edge.firstSeen));
    if (!wrong) continue;
    const known = found.get(subject);
    found.set(subject, {
      subject,
      connections: edge.connections + (known?.connections ?? 0),
      since: Math.min(edge.firstSeen, known?.since ?? edge.firstSeen),
    });
  }
  return [...found.values()];
}

/** What denied it was answered by a rule that allows it: nobody merely took the policy away. */
function isGranted({ before, after }: Permitted): boolean {
  return (["egress", "ingress"] as const).some(
    (direction) =>
      before[direction].verdict !== "allow" && after[direction].determinedBy.kind === "rule",
  );
}
