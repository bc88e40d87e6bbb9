/**
 * Breaking one thing on purpose, to see that the demo notices. Two of the faults are switches of the agent
 * (`BULKHEAD_FAULT`), one is done to the policy file; none of them touches the demo's own checks.
 */
import { isMap, parseAllDocuments } from "yaml";

export const SABOTAGES = [
  "missing-deny",
  "dead-collector",
  "leaky-driver",
  "stale-receipt",
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

export function parseSabotage(text: string | undefined): Sabotage | undefined {
  if (text === undefined || text === "") return undefined;
  const found = SABOTAGES.find((one) => one === text);
  if (found === undefined) {
    throw new RangeError(`SABOTAGE=${text} is not known; there are ${SABOTAGES.join(", ")}`);
  }
  return found;
}

/** Environment of the daemon. */
export function faultOf(sabotage: Sabotage | undefined): Readonly<Record<string, string>> {
  switch (sabotage) {
    case undefined:
    case "missing-deny":
      return {};
    case "dead-collector":
    case "leaky-driver":
    case "stale-receipt":
      return { BULKHEAD_FAULT: sabotage };
  }
}

/** The policy without what makes it a boundary: every resource that isolates and allows nothing is left out. */
export function withoutDeny(text: string): string {
  const kept = parseAllDocuments(text).filter((document) => {
    const resource: unknown = document.toJS();
    return !(isMap(document.contents) && isolatesOnly(resource));
  });
  return kept.map((document) => String(document)).join("");
}

function isolatesOnly(resource: unknown): boolean {
  if (typeof resource !== "object" || resource === null) return false;
  const { kind, spec } = resource as { readonly kind?: unknown; readonly spec?: unknown };
  if (kind !== "Policy" || typeof spec !== "object" || spec === null) return false;
  const { ingress = [], egress = [] } = spec as {
    readonly ingress?: unknown;
    readonly egress?: unknown;
  };
  return (
    Array.isArray(ingress) && ingress.length === 0 && Array.isArray(egress) && egress.length === 0
  );
}
