/**
 * What a machine must always be able to do: reach those who give it names, time and leases, and be reached over SSH by
 * those who look after it. Declared or found on the machine; no change of policy may break what worked before it.
 */
import { formatPort } from "./port-text.ts";
import { TCP, UDP, type ProtocolNumber } from "./protocol.ts";
import type { IpAddress } from "./ip.ts";
import type { SourceSpan } from "./diagnostic.ts";

export const INVARIANT_KINDS = ["ssh", "dns", "ntp", "dhcp", "metadata", "connect"] as const;
export type InvariantKind = (typeof INVARIANT_KINDS)[number];

export interface Invariant {
  readonly kind: InvariantKind;
  /** The other end. Of `ssh` the one that calls; of all others the one that this machine calls. */
  readonly address: IpAddress;
  /** Of whoever is called: of `ssh` this machine's. */
  readonly port: number;
}

export interface DeclaredInvariant extends Invariant {
  readonly source: SourceSpan;
}

/** What a look from the machine itself found. */
export interface InvariantCheck extends Invariant {
  /** `untold`: nothing was said on the connection, or the means to ask are taken. */
  readonly outcome: "held" | "failed" | "untold";
  /** Why it is not `held`: one sentence. */
  readonly detail?: string;
  /** This machine's end, where it has one. */
  readonly local?: IpAddress;
}

export const INVARIANT_PORTS: Readonly<Record<Exclude<InvariantKind, "connect">, number>> = {
  ssh: 22,
  dns: 53,
  ntp: 123,
  dhcp: 67,
  metadata: 80,
};

export const invariantProtocol = (kind: InvariantKind): ProtocolNumber =>
  kind === "dns" || kind === "ntp" || kind === "dhcp" ? UDP : TCP;

/** `dns 10.0.0.1`, `ssh from 192.0.2.7`, `connect 10.0.0.9 443/tcp`. */
export function formatInvariant({ kind, address, port }: Invariant): string {
  const usual = kind !== "connect" && INVARIANT_PORTS[kind] === port;
  const at = usual ? "" : ` ${formatPort(invariantProtocol(kind), port)}`;
  return `${kind}${kind === "ssh" ? " from" : ""} ${address}${at}`;
}

export const invariantKey = ({ kind, address, port }: Invariant): string =>
  `${kind} ${address} ${port}`;
