/** A suggestion as lines of text, which tests compare. */
import { formatPort, formatSelector, type Edge, type SuggestedPeer } from "@bulkhead/model";
import { suggest, type SuggestOptions } from "../src/index.ts";
import { inventoryOf } from "./shop.ts";

export const inventory = inventoryOf();

function peer(value: SuggestedPeer): string {
  if (value.kind === "host") return "host";
  if (value.kind === "networkSet") return `set ${value.name}`;
  return `${value.namespace}: ${formatSelector(value.selector)}`;
}

export function rulesOf(
  edges: readonly Edge[],
  known = inventory,
  options?: SuggestOptions,
): readonly string[] {
  return suggest(edges, known, options).rules.map((rule) => {
    const ports = rule.ports.map((port) => formatPort(port.protocol, port.port)).join(" ");
    return `${rule.namespace}/${rule.name}${rule.rare ? " (rare)" : ""}: ${peer(rule.from)} → ${peer(rule.to)} ${ports}`;
  });
}

export function asideOf(edges: readonly Edge[], known = inventory): readonly string[] {
  return suggest(edges, known).setAside.map(
    ({ edge: one, reason }) =>
      `${reason}: ${one.source.name} → ${one.destination.name} ${one.port}`,
  );
}
