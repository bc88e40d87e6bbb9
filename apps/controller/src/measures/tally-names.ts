/** Names under which hours count connections by verdict, and changes of policy by kind. */
import { FLOW_VERDICTS, type FlowVerdict } from "@bulkhead/model";
import type { Revision } from "@bulkhead/store";

export const connectionsName = (verdict: FlowVerdict): string => `connections_${verdict}`;
export const changesName = (kind: Revision["kind"]): string => `changes_${kind}`;

export const CONNECTIONS = FLOW_VERDICTS.map((verdict) => ({
  verdict,
  name: connectionsName(verdict),
}));

export const CHANGES = (["apply", "delete", "rollback", "revert"] as const).map((kind) => ({
  kind,
  name: changesName(kind),
}));
