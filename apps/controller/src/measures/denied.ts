/** Which flows count as denied, which of those nobody expected, and by what like denials are told. */
import { formatPort, type Edge, type Flow, type FlowVerdict } from "@bulkhead/model";

type Seen = Pick<Flow, "source" | "destination" | "protocol" | "port" | "verdict" | "rule">;

const DENIED: ReadonlySet<FlowVerdict> = new Set(["dropped", "rejected", "spoofed"]);

/** Whoever carries it sends what is denied for a living: a vulnerability scanner, say. Labels come from an authority. */
export const SCANNER_LABEL = "bulkhead.dev/scanner";

export const isDenied = ({ verdict }: Pick<Flow, "verdict">): boolean => DENIED.has(verdict);

export const isScan = ({ source }: Pick<Flow, "source">): boolean =>
  source.labels[SCANNER_LABEL] === "true";

/** What like denials share: names, not addresses, so that a restarted workload does not make news of it. */
export const fingerprintOf = ({
  source,
  destination,
  protocol,
  port,
}: Omit<Seen, "verdict">): string =>
  `${source.name} → ${destination.name} ${formatPort(protocol, port)}`;

/** Denied on purpose for a while: whoever ends a quarantine does not say that it was wrong. */
export const isQuarantined = ({ rule }: Pick<Edge, "rule">): boolean =>
  rule?.startsWith("Quarantine/") === true;
