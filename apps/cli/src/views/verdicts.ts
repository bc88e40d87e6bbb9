/** One way to write verdicts, modes, ports and ends, in one colour each. */
import { formatPort, type Edge, type FlowVerdict, type Mode } from "@bulkhead/model";
import type { Style } from "../ui/style.ts";

const FLOW_VERDICTS: Readonly<Record<FlowVerdict, keyof Style>> = {
  forwarded: "green",
  audit: "yellow",
  dropped: "red",
  rejected: "red",
  spoofed: "red",
  error: "red",
};

export function flowVerdict(verdict: FlowVerdict, style: Style): string {
  return style[FLOW_VERDICTS[verdict]](verdict);
}

export function decisionVerdict(
  verdict: "allow" | "drop" | "reject" | "mixed",
  style: Style,
): string {
  if (verdict === "allow") return style.green("allow");
  return verdict === "mixed" ? style.yellow("mixed") : style.red(verdict);
}

export function mode(value: Mode, style: Style): string {
  if (value === "enforce") return style.green("enforce");
  return value === "audit" ? style.yellow("audit") : style.dim("observe");
}

/** The name people know; an address only where there is no name, or where the name says nothing. */
export function endName(end: Pick<Edge["source"], "name" | "address">, wide = false): string {
  if (end.name === end.address) return end.address;
  if (end.name === "world" || end.name === "multicast") return `${end.name} (${end.address})`;
  return wide ? `${end.name} (${end.address})` : end.name;
}

export function edgePort(edge: { readonly protocol: number; readonly port: number }): string {
  return formatPort(edge.protocol, edge.port);
}
