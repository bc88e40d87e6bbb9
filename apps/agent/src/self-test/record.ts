/**
 * When the self-test is due: before the agent first touches a machine's tables, and again whenever the kernel, nftables or
 * Bulkhead itself is another one than the last that passed. A failure is recorded too, but never believed: it is tried again.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { arch, release, version as kernelBuild } from "node:os";
import { promisify } from "node:util";
import { readIfThere, writeDurably } from "../state/agent-directory.ts";
import { runSelfTest, type SelfTestFinding } from "./self-test.ts";

/** Whatever may change what rules do. */
export interface TestedOn {
  readonly kernel: string;
  readonly nftables: string;
  readonly bulkhead: string;
  readonly bridgeNetfilter: boolean;
  readonly ipv6: boolean;
}

export interface SelfTestReport extends SelfTestFinding {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly on: TestedOn;
}

export interface SelfTestPlace {
  /** Where the last report is kept. */
  readonly file: string;
  readonly version: string;
  readonly now: () => number;
}

/** Enforcement stays as it was. */
export class SelfTestError extends Error {
  readonly report: SelfTestReport;

  constructor(report: SelfTestReport) {
    const { failure, on } = report;
    super(
      `the self-test failed, nothing was taken over and what is enforced stays as it was: ${failure?.feature}: ${failure?.detail} (kernel ${on.kernel}, ${on.nftables})`,
    );
    this.name = "SelfTestError";
    this.report = report;
  }
}

/** The report that holds for this machine as it is; null when it already held. Throws `SelfTestError`. */
export async function ensureSelfTested(place: SelfTestPlace): Promise<SelfTestReport | null> {
  const on = await machine(place.version);
  const last = lastReport(place.file);
  if (last !== null && last.failure === undefined && same(last.on, on)) return null;
  const report = await test(place, on);
  if (report.failure !== undefined) throw new SelfTestError(report);
  return report;
}

/** Runs it, whatever was recorded. */
export async function selfTestNow(place: SelfTestPlace): Promise<SelfTestReport> {
  return test(place, await machine(place.version));
}

async function test(place: SelfTestPlace, on: TestedOn): Promise<SelfTestReport> {
  const report = { at: place.now(), on, ...(await runSelfTest(place.now)) };
  writeDurably(place.file, `${JSON.stringify(report)}\n`, 0o600);
  return report;
}

async function machine(bulkhead: string): Promise<TestedOn> {
  return {
    kernel: `${release()} ${arch()} ${kernelBuild()}`,
    nftables: await nftablesVersion(),
    bulkhead,
    bridgeNetfilter: existsSync("/proc/sys/net/bridge/bridge-nf-call-iptables"),
    ipv6: existsSync("/proc/sys/net/ipv6/conf/all/forwarding"),
  };
}

async function nftablesVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("nft", ["--version"]);
    return stdout.trim();
  } catch (error) {
    // The test itself will say what is wrong with it.
    return `nftables unknown: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const same = (a: TestedOn, b: TestedOn): boolean =>
  a.kernel === b.kernel &&
  a.nftables === b.nftables &&
  a.bulkhead === b.bulkhead &&
  a.bridgeNetfilter === b.bridgeNetfilter &&
  a.ipv6 === b.ipv6;

/** Null when there is none that makes sense: then the test is due. */
function lastReport(file: string): SelfTestReport | null {
  const found = readIfThere(file);
  if (found === null) return null;
  try {
    const value = JSON.parse(found.toString("utf8")) as Partial<SelfTestReport> | null;
    return typeof value?.on === "object" && value.on !== null ? (value as SelfTestReport) : null;
  } catch {
    return null; // cut short when the machine went down: no report
  }
}
