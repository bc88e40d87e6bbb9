/**
 * The way by which people come to administer the machine: its own SSH server. A rule for it would shut out everybody who did
 * not happen to come in while somebody watched, so that none is proposed, whatever was seen.
 */
import { TCP, type Inventory } from "@bulkhead/model";
import type { Relation } from "./ends.ts";

const SSH = 22;
const SERVERS = /^(open)?sshd?(@.*)?(\.(service|socket))?$|^dropbear/i;
const NAMES = ["app", "bulkhead.dev/unit"];

export type IsAdministration = (relation: Relation) => boolean;

export function administrationOf(inventory: Inventory): IsAdministration {
  const processes = new Map(
    inventory.workloads.flatMap((one) => (one.kind === "process" ? [[one.id, one] as const] : [])),
  );
  return ({ destination, protocol, port }) => {
    if (destination.kind !== "group") return false;
    const own = destination.group.members.flatMap((id) => processes.get(id) ?? []);
    if (own.length === 0) return false;
    const named = own.some(({ labels }) => NAMES.some((key) => SERVERS.test(labels[key] ?? "")));
    return named || (protocol === TCP && port === SSH);
  };
}
