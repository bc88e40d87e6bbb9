/**
 * What a probe is and what comes of it. A probe tries one connection from inside the source's network namespace and
 * watches for it inside the destination's: only when both ends tell the same story is it evidence.
 */
import type { CgroupPath, IpAddress, ProtocolNumber } from "@bulkhead/model";

export interface ProbeRequest {
  /** Path of the source's network namespace; absent: the agent's own (the host). */
  readonly sourceNetns?: string;
  /** Path of the destination's network namespace; absent: the host when it has the address, else the world beyond. */
  readonly destinationNetns?: string;
  /** In whose name an end's socket is made: control groups of processes of this machine. */
  readonly sourceCgroup?: CgroupPath;
  readonly destinationCgroup?: CgroupPath;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: ProtocolNumber;
  /** Destination port, or ICMP type * 256 + code. */
  readonly port: number;
  readonly expectPass: boolean;
}

/** `inconclusive` counts as a failure: it proves nothing. */
export type ProbeOutcome = "pass" | "fail" | "inconclusive";

export interface ProbeResult {
  readonly expected: "pass" | "blocked";
  /** The attempt left the source: its packet was seen entering the agent's namespace (from the host itself: the system took it). */
  readonly sent: boolean;
  /** The source got an answer. */
  readonly connected: boolean;
  /** The destination saw the probe's first packet. */
  readonly witnessed: boolean;
  /** Both ends tell the same story. */
  readonly agree: boolean;
  readonly outcome: ProbeOutcome;
  /** One sentence for people. */
  readonly detail: string;
  /** From sending to the outcome. */
  readonly latencyMs: number;
  /** The source port used (ICMP: the identifier), so that the probe's own flows can be told from others; 0 when none. */
  readonly sourcePort: number;
}

/** What was observed of an attempt, for `judge`. */
export interface Observation {
  /** The source's system took the packet. */
  readonly sent: boolean;
  /** The packet was seen leaving the source; null where that cannot be told from being let through. */
  readonly departed: boolean | null;
  readonly connected: boolean;
  readonly witnessed: boolean;
  /** The destination's link address is known, so that a packet let through would arrive; null where that is not ours to resolve. */
  readonly reachable: boolean | null;
  /** Would an answer come if the packet arrived and the way back is open? Not from a service whose protocol we do not speak. */
  readonly answerable: boolean;
  /** Where the second witness stood. */
  readonly witness: "destination" | "host" | "uplink";
  /** Packets that the witness may have missed. */
  readonly missed: number;
  /** The source's own error, by errno name. */
  readonly refusal?: string;
  /** What went wrong besides the connection itself. */
  readonly trouble?: string;
}

/** The one place where observations become an outcome. */
export function judge(
  expectPass: boolean,
  seen: Observation,
): Pick<ProbeResult, "agree" | "outcome" | "detail"> {
  const place = {
    destination: "the destination",
    host: "the host",
    uplink: "the way out of this machine",
  }[seen.witness];
  const agree = seen.answerable || seen.connected ? seen.connected === seen.witnessed : true;
  const verdict = (outcome: ProbeOutcome, detail: string) => ({ agree, outcome, detail });
  if (seen.trouble !== undefined)
    return { agree: false, outcome: "inconclusive", detail: seen.trouble };
  if (!seen.sent)
    return verdict(
      "inconclusive",
      `nothing could be sent${seen.refusal === undefined ? "" : `: ${seen.refusal}`}`,
    );
  if (seen.connected && !seen.witnessed)
    return verdict("inconclusive", `the source got an answer that ${place} knows nothing of`);
  if (expectPass) {
    if (!seen.witnessed)
      return verdict(
        "fail",
        `${place} saw nothing${seen.refusal === undefined ? "" : `; the source got ${seen.refusal}`}`,
      );
    if (seen.connected) return verdict("pass", "connected, and seen at the destination");
    if (!seen.answerable)
      return verdict("pass", "seen at the destination (its service does not answer probes)");
    return verdict(
      "fail",
      `${place} saw it, but no answer came back${seen.refusal === undefined ? "" : `: ${seen.refusal}`}`,
    );
  }
  if (seen.witnessed)
    return verdict(
      "fail",
      seen.connected ? "connected, though it must not" : `it reached ${place}, though it must not`,
    );
  // No neighbour, no route, a firewall inside the source: silence then says nothing about the policy.
  if (seen.departed === false)
    return { agree: false, outcome: "inconclusive", detail: "the packet never left the source" };
  if (seen.reachable === false)
    return {
      agree: false,
      outcome: "inconclusive",
      detail: "the destination does not answer on its link, so nothing would have arrived anyway",
    };
  if (seen.missed > 0)
    return {
      agree: false,
      outcome: "inconclusive",
      detail: `the witness missed ${seen.missed} packets in heavy traffic`,
    };
  return verdict(
    "pass",
    seen.refusal === undefined
      ? `no answer, and ${place} saw nothing`
      : `refused (${seen.refusal}), and ${place} saw nothing`,
  );
}
