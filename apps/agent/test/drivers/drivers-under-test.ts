/**
 * The drivers that have to keep the contract (`docs/driver-contract.md`), and what its tests must know of each besides: how to look at
 * what it holds in the kernel, and how somebody with root's rights would spoil that. A driver joins by one line, and then
 * every test of the contract is its test.
 */
import type { HostPolicy } from "@bulkhead/model";
import type { Driver, DriverDeps } from "../../src/drivers/index.ts";
import type { Lab } from "./lab.ts";
import type { LogReader } from "./log-reader.ts";
import { nftables } from "./nftables/under-test.ts";

/** What a stranger does to rules in the kernel, and what has to be said of it. */
export interface Sabotage<Known> {
  readonly name: string;
  readonly spoil: (lab: Lab, known: Known) => void;
  readonly sentence: RegExp;
}

/** Folders of control groups: one that the policy in force judges, and one that nobody knows. */
export interface SpoiledGroups {
  readonly judged: string;
  readonly stranger: string;
}

export interface DriverUnderTest {
  readonly name: Driver["name"];
  /** Works in the lab's host, by default as the agent `test`. */
  create(lab: Lab, more?: Partial<DriverDeps>): Driver;
  /**
   * All that it holds in the kernel, with the kernel's own numbers and without counters: the same text for as long as nothing is
   * written, empty when nothing is left.
   */
  holdings(lab: Lab): string;
  /** Kernel settings (sysctl) that it turns on, watches and puts back. */
  readonly settings: readonly string[];
  /** Everything of which it holds some for the policy of `driver.kernel.test.ts`. */
  readonly sabotage: readonly Sabotage<HostPolicy>[];
  /** The same for what it holds about processes. */
  readonly processSabotage: readonly Sabotage<SpoiledGroups>[];
  /** Makes the kernel refuse the last step of enforcing what was only audited; the result takes that back. */
  obstruct(lab: Lab): () => void;
  /** What it tells of packets, in the form of `formatLogPrefix`, by another reader than ours where there is one. */
  readLog(lab: Lab): Promise<LogReader>;
}

export const DRIVERS_UNDER_TEST: readonly DriverUnderTest[] = [nftables];
