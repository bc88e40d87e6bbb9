/**
 * The way by which people come to administer the machine: its own SSH server. A rule for it would shut out everybody who did
 * not happen to come in while somebody watched, so that none is proposed, whatever was seen. Nor is it confined in what it calls:
 * whom it asks about a person is seen when that person comes.
 */
import { TCP, type Labels } from "@bulkhead/model";
import type { End, Relation } from "./ends.ts";
import { UNIT_KEY, type MachineProcesses } from "./machine.ts";

const SSH = 22;
const SERVERS = /^(open)?sshd?(@.*)?(\.(service|socket))?$|^dropbear/i;
/** What systemd calls it, and what that is an instance of. Who is a container bears what its image's maker chose. */
const NAMES = ["app", UNIT_KEY];

/** By it people come in. */
export function isAdministration(
  { destination, protocol, port }: Relation,
  processes: MachineProcesses,
): boolean {
  const own = processesOf(destination, processes);
  return own.length > 0 && ((protocol === TCP && port === SSH) || isServer(destination, processes));
}

export function isServer(end: End, processes: MachineProcesses): boolean {
  return processesOf(end, processes).some(
    (labels) =>
      Object.hasOwn(labels, UNIT_KEY) && NAMES.some((key) => SERVERS.test(labels[key] ?? "")),
  );
}

function processesOf(end: End, processes: MachineProcesses): readonly Labels[] {
  return end.kind === "group"
    ? end.group.members.flatMap((id): readonly Labels[] => {
        const labels = processes.get(id);
        return labels === undefined ? [] : [labels];
      })
    : [];
}
