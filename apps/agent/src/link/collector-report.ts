/**
 * The collector's many numbers in the few that the controller is told. Whatever was lost on the way counts as lost, by
 * whichever hand: a log message, or a connection's end with its bytes and outcome.
 */
import type { CollectorStats as Told } from "@bulkhead/wire";
import type { CollectorStats } from "../collector/index.ts";

/** What became of the copies of DNS answers, beside the kernel's own counters. Lost copies are names that are missing, not flows. */
export function dnsCounters({ dns }: CollectorStats): Readonly<Record<string, number>> {
  if (!dns.available) return {};
  return {
    dns_read: dns.read,
    dns_answers: dns.answers,
    dns_malformed: dns.malformed,
    dns_lost: dns.lost,
  };
}

export function collectorReport(stats: CollectorStats): Told {
  const { alive, received, delivered, queueDepth, lastEventAt, connections } = stats;
  const messages = stats.lost + stats.overflowed + stats.abandoned + stats.malformed;
  return {
    alive,
    received,
    delivered,
    lost: messages + connections.lost + connections.overflowed,
    queueDepth,
    ...(lastEventAt === undefined ? {} : { lastEventAt }),
  };
}
