/** Why something has no rule, and what traffic is that everybody knows by name: in the words that people see everywhere. */
import type { SetAsideReason, TrafficPurpose } from "@bulkhead/model";

/** What each reason means, in the words people see. */
export const REASONS: Readonly<Record<SetAsideReason, string>> = {
  scan: "scanning",
  "flagged-source": "by a source that scans",
  "suspicious-source": "once, by a source that mostly fails",
  failed: "never answered",
  pending: "not answered yet",
  "one-off": "one-off without data",
  lone: "only one copy of its role, and seldom",
  "first-ever": "first seen late, of one copy alone",
  "fan-out": "several new peers, one by one",
  "off-hours": "outside its role's hours",
  beacon: "calls home like a clock",
  denied: "denied when it was seen",
  spoofed: "forged source address",
  ephemeral: "high port, not a service",
  world: "many outside addresses",
  ping: "a few pings",
  multicast: "broadcast or multicast",
  unlabelled: "an end without labels",
  "host-network": "a workload on its machine's address",
  administration: "administration of the machine, left open",
  people: "people, not confined",
  resolver: "the machine's own resolver, left open",
  error: "could not be judged",
};

/** Not allowed by a rule, and not denied either: nothing that is proposed confines who does it. */
export function isLeftOpen({ reason }: { readonly reason: SetAsideReason }): boolean {
  return reason === "administration" || reason === "people" || reason === "resolver";
}

export const LEFT_OPEN = "Seen, kept out, and confined by nothing that is proposed";

export const COVERED = "Doubtful, but allowed because ends with the same labels need it";

/** What traffic is that no application does for its own sake. */
export const PURPOSES: Readonly<Record<TrafficPurpose, string>> = {
  dns: "names (DNS)",
  ntp: "time (NTP)",
  dhcp: "leases (DHCP)",
  metadata: "the cloud's metadata service, which gives credentials to whoever asks",
  ssh: "administration (SSH)",
  monitoring: "monitoring",
};

export const UNATTRIBUTED =
  "Sent by this machine, and nobody could tell by which process: whoever of them is isolated above may need it, or be called by it:";
