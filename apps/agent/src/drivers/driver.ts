/**
 * The contract of kernel drivers. A driver makes the kernel hold a `HostPolicy` and proves it by reading back; whoever uses one knows
 * this file and none of the drivers. What is owed, point by point, with the test that holds each, stands in
 * `docs/driver-contract.md`; the numbers below are its.
 *
 * A caller may take for granted: calls may come at any time and take effect one after another (1); what is refused changes nothing
 * (2, 3); rules stay when this process ends, however it ends (4). A caller must not change what a driver holds in the kernel.
 */
import type { Before as SettingsBefore, CounterReading } from "@bulkhead/datapath";
import type { CgroupPath, DriverName, HostPolicy, ProcessHandle, Receipt } from "@bulkhead/model";
import type { ControlGroups } from "./control-groups.ts";

export interface DriverDeps {
  /** Stable for this installation: a restarted agent takes over its own rules, another one is refused (9). */
  readonly owner: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Path of the network namespace to work in; absent = the agent's own. */
  readonly netns?: string;
  /** Most entries to take; absent = what the driver was measured with. */
  readonly maxEntries?: number;
  /** How long one step in the kernel may take. */
  readonly patienceMs?: number;
  /** Where processes of this machine are; absent = its own hierarchy. */
  readonly controlGroups?: ControlGroups;
}

export type UnsignedReceipt = Omit<Receipt, "signature">;

export interface ReadBackResult {
  /** `sha256:…` over the canonical policy found, and over every difference that is no part of a policy. */
  readonly digest: string;
  /** What the digest must be, now, for nothing to differ; null before the first apply. */
  readonly desiredDigest: string | null;
  readonly policy: HostPolicy | null;
  /** Human sentences; empty iff the kernel holds exactly what was applied last. */
  readonly differences: readonly string[];
  readonly readAt: number;
  readonly entries: number;
}

/** Kernel settings as they were before any driver of ours. */
export type { SettingsBefore };

export interface Capacity {
  /** What the policy needs of the kernel. */
  readonly entries: number;
  /** Human sentences; empty iff it fits. */
  readonly problems: readonly string[];
}

export interface Driver {
  readonly name: DriverName;
  /** Most entries it takes. */
  readonly limit: number;
  /**
   * Makes the kernel hold the policy, whole or not at all (1), and returns what it then holds (7). While it works, no packet meets
   * anything but the old policy or the new one (5). Throws `DriverError`; the kernel then holds what it held before (2).
   */
  apply(policy: HostPolicy): Promise<UnsignedReceipt>;
  /** What the kernel holds, by looking at all of it (6). */
  readBack(): Promise<ReadBackResult>;
  /** Applies the last policy again, over whatever is there (6); null when none was applied. */
  repair(): Promise<UnsignedReceipt | null>;
  /** For people: what the kernel would hold, on a machine that holds nothing of ours yet (12). */
  render(policy: HostPolicy): string;
  /** Packets and bytes by deciding rule, and by what else lets through or drops (11). Outside receipts. */
  counters(): Promise<CounterReading[]>;
  /**
   * Tells the kernel which control groups of known processes there are now; true when that was news. To be called whenever one
   * comes or goes: until then, who is in a new one is unknown (10). Neither a change of policy nor drift, and cheap when nothing
   * moved.
   */
  bindProcesses(): Promise<boolean>;
  /** Whose handle this is, in the policy in force. */
  cgroupOf(handle: ProcessHandle): CgroupPath | undefined;
  /** Whether the kernel holds rules of this driver, whoever wrote them. Works before the first apply. */
  isInForce(): Promise<boolean>;
  /** What `remove` would put the kernel's settings back to; null where nothing of this driver is in the kernel. */
  settingsBefore(): Promise<SettingsBefore | null>;
  /** To be told before the first apply: what a predecessor had found, so that its settings are not taken for the machine's own. */
  inherit(before: SettingsBefore): void;
  /** Takes all of ours out of the kernel and puts its settings back (8), or leaves those to a successor that needs them. */
  remove(options?: { readonly settings: "kept" }): Promise<void>;
  /** What a policy would need, and whether it fits (3). Touches nothing. */
  capacity(policy: HostPolicy): Capacity;
  /**
   * A number that moves whenever anybody changes what the driver holds in the kernel, when a kernel setting that enforcement rests
   * on is turned off, and when an interface appears whose guard, or a process whose control group is still to be bound (6). Cheap:
   * while it stands still, there is no need to read back.
   */
  generation(): number;
}
