/**
 * What the control plane must remember: revisions, the change waiting to be confirmed, receipts, drift, probe runs and
 * settings. Every write is on disk when its promise resolves, and a failed one leaves nothing behind.
 */
import type { DriftReport, Receipt } from "@bulkhead/model";
import type { MeasureStore } from "./measures.ts";
import type { NewRevision, Revision, StoredFile } from "./revision.ts";

/** The disk has no room. Nothing was written. */
export class StoreFullError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "StoreFullError";
  }
}

export interface PendingConfirm {
  readonly revision: number;
  readonly revertsTo: number;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

export interface StoredReceipt extends Receipt {
  readonly host: string;
  readonly matches: boolean;
}

export interface StoredDrift extends DriftReport {
  readonly host: string;
}

export interface ProbeRun {
  readonly time: number;
  readonly summary: unknown;
  readonly results: unknown;
}

export type ChainCheck =
  | { readonly intact: true }
  | { readonly intact: false; readonly brokenAt: number };

export interface StateStore extends MeasureStore {
  /**
   * The next revision, its files and (when given) the deadline by which it must be confirmed, in one transaction. A
   * change that itself settles a pending confirmation says so with `settles`; one that undoes such a change gives back
   * what waited with `reopens`.
   */
  append(
    change: NewRevision,
    files: readonly StoredFile[],
    more?: {
      readonly confirmBy?: number;
      readonly settles?: "confirmed" | "reverted";
      readonly reopens?: PendingConfirm;
    },
  ): Promise<Revision>;
  /** Newest first. */
  revisions(): Promise<readonly Revision[]>;
  revision(number: number): Promise<Revision | null>;
  /** The one in force; null before the first. */
  current(): Promise<Revision | null>;
  fileText(hash: string): Promise<string | null>;
  verifyChain(): Promise<ChainCheck>;

  pendingConfirm(): Promise<PendingConfirm | null>;
  /** False when nothing was pending. */
  confirm(time: number): Promise<boolean>;
  confirmations(): Promise<ReadonlyMap<number, "confirmed" | "reverted">>;

  saveReceipt(receipt: StoredReceipt): Promise<void>;
  saveDrift(report: StoredDrift): Promise<void>;
  /** Newest first, with the number of all ever reported. */
  drifts(
    limit: number,
  ): Promise<{ readonly total: number; readonly reports: readonly StoredDrift[] }>;
  saveProbeRun(run: ProbeRun): Promise<void>;
  lastProbeRun(): Promise<ProbeRun | null>;

  setting(key: string): Promise<string | null>;
  saveSetting(key: string, value: string): Promise<void>;

  close(): Promise<void>;
}
