/**
 * What is known to be coming although it was not seen: jobs that the machine or the cluster runs by the clock, and
 * dependencies that a workload is configured with. Told one by one, each with the place that says so.
 */
import type { WorkloadId } from "./workload.ts";

/** A job that runs by the clock. */
export interface Schedule {
  /** `timer backup.timer`, `cron /etc/cron.d/report line 3`, `CronJob shop/invoices`. */
  readonly name: string;
  readonly kind: "systemd-timer" | "cron" | "cronjob";
  /** As it is written: `0 3 1 *␣*`, `quarterly`. */
  readonly expression: string;
  /** IANA name; absent: the machine's own. */
  readonly timeZone?: string;
  /** The machine it was found on, or absent: the cluster's. */
  readonly node?: string;
  /** Who runs it, where that is a workload: `host/backup`, or of the pods a CronJob makes. */
  readonly workload?: WorkloadId;
  /** What its workloads bear, where nobody of them is there now. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Milliseconds since the epoch; absent: it never ran, or nobody knows. */
  readonly lastRun?: number;
  /** Absent: it will not run again, or nobody can tell. */
  readonly nextRun?: number;
  /** It is as it is since then, at the latest. Absent: nobody knows, and only a run that was told of counts. */
  readonly since?: number;
  /** It is switched off: it runs when somebody switches it on. */
  readonly suspended?: true;
}

/** A destination that a workload is configured with. */
export interface ConfiguredDependency {
  /** Who would call. */
  readonly workload: WorkloadId;
  /** A host name or an address, without credentials. */
  readonly host: string;
  readonly port?: number;
  /** `postgresql`, `https`, … where the place says it. */
  readonly scheme?: string;
  /** Where it is written: `environment DATABASE_URL`, `/etc/app/config.yaml line 12`. Never the value itself. */
  readonly place: string;
  readonly namespace?: string;
}
