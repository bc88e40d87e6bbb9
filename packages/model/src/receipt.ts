export const DRIVER_NAMES = ["nftables", "ebpf"] as const;
/** What makes the kernel hold a policy. A receipt's digest is the same whoever does. */
export type DriverName = (typeof DRIVER_NAMES)[number];

/**
 * Proof of what the kernel holds: the digest of the canonical HostPolicy *read back* from it, signed by the host's key.
 * Counters and dynamic state are outside. A receipt whose digest is not the desired one is drift.
 */
export interface Receipt {
  readonly revision: number;
  /** `sha256:` and 64 hex digits over the canonical text. */
  readonly digest: string;
  readonly driver: DriverName;
  /** When the kernel was read, milliseconds since the epoch. */
  readonly readAt: number;
  /** Number of address entries, rows and overlay entries found. */
  readonly entries: number;
  /** Base64 Ed25519 signature over `revision\ndigest\ndriver\nreadAt\nentries`. */
  readonly signature: string;
}

export interface DriftReport {
  readonly detectedAt: number;
  readonly revision: number;
  readonly expectedDigest: string;
  readonly actualDigest: string | null;
  /** Human sentences: `rule added to chain forward: …`, `element 10.0.0.5 missing from …`. */
  readonly differences: readonly string[];
  readonly repaired: boolean;
}
