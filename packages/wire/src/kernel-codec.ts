/** What an agent reads of its kernel to protobuf and back: receipts, counters of rules, how its collector fares. */
import { DRIVER_NAMES } from "@bulkhead/model";
import type { Receipt } from "@bulkhead/model";
import type {
  CollectorStats as ProtoStats,
  Receipt as ProtoReceipt,
  RuleCounter as ProtoRuleCounter,
} from "./gen/bulkhead/agent/v1/agent_pb.js";
import type { CollectorStats, RuleCounter } from "./messages.ts";
import { oneOf } from "./parse.ts";

export function encodeRuleCounter({ packets, bytes, lastHit = 0, ...rule }: RuleCounter) {
  return {
    ...rule,
    packets: BigInt(packets),
    bytes: BigInt(bytes),
    lastHit: BigInt(lastHit),
  };
}

export function decodeRuleCounter(counter: ProtoRuleCounter): RuleCounter {
  const { cookie, plane, direction, verdict, packets, bytes, lastHit } = counter;
  return {
    cookie,
    plane: oneOf(["live", "shadow", "canary"] as const, plane, "rule_counter.plane"),
    direction: oneOf(["egress", "ingress"] as const, direction, "rule_counter.direction"),
    verdict: oneOf(["allow", "drop", "reject"] as const, verdict, "rule_counter.verdict"),
    packets: Number(packets),
    bytes: Number(bytes),
    ...(lastHit === 0n ? {} : { lastHit: Number(lastHit) }),
  };
}

export function encodeStats(stats: CollectorStats) {
  return {
    alive: stats.alive,
    received: BigInt(stats.received),
    delivered: BigInt(stats.delivered),
    lost: BigInt(stats.lost),
    queueDepth: BigInt(stats.queueDepth),
    lastEventAt: BigInt(stats.lastEventAt ?? 0),
  };
}

export function decodeStats(stats: ProtoStats): CollectorStats {
  return {
    alive: stats.alive,
    received: Number(stats.received),
    delivered: Number(stats.delivered),
    lost: Number(stats.lost),
    queueDepth: Number(stats.queueDepth),
    ...(stats.lastEventAt === 0n ? {} : { lastEventAt: Number(stats.lastEventAt) }),
  };
}

export function encodedReceipt(receipt: Receipt | undefined) {
  if (receipt === undefined) return {};
  return {
    receipt: {
      ...receipt,
      revision: BigInt(receipt.revision),
      readAt: BigInt(receipt.readAt),
      entries: BigInt(receipt.entries),
    },
  };
}

export function decodedReceipt(receipt: ProtoReceipt | undefined): { readonly receipt?: Receipt } {
  if (receipt === undefined) return {};
  return {
    receipt: {
      revision: Number(receipt.revision),
      digest: receipt.digest,
      driver: oneOf(DRIVER_NAMES, receipt.driver, "receipt.driver"),
      readAt: Number(receipt.readAt),
      entries: Number(receipt.entries),
      signature: receipt.signature,
    },
  };
}
