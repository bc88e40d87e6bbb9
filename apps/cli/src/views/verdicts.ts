/** One way to write verdicts, modes, ports and ends, in one colour each. */
import {
  formatPort,
  type FlowEnd,
  type FlowProcess,
  type FlowVerdict,
  type Mode,
} from "@bulkhead/model";
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
export function endName(
  { name, address, names = [] }: Pick<FlowEnd, "name" | "address" | "names">,
  wide = false,
): string {
  const [first, ...others] = names;
  const called =
    first === undefined ? undefined : `${first}${others.length === 0 ? "" : ` +${others.length}`}`;
  if (name === "world" || name === address)
    return called === undefined && name === address ? address : `${called ?? name} (${address})`;
  if (name === "multicast") return `${name} (${address})`;
  const at = called === undefined ? address : `${called}, ${address}`;
  return wide ? `${name} (${at})` : name;
}

/** `nginx[812] of www-data in nginx.service`, as far as it is known. */
export function processText({ name, pid, uid, user, unit, cgroup }: FlowProcess): string {
  const what = name === undefined ? [] : [pid === undefined ? name : `${name}[${pid}]`];
  const where = unit ?? (cgroup === "/" ? undefined : cgroup);
  const whose = user ?? uid;
  return [
    ...what,
    ...(whose === undefined ? [] : [`of ${whose}`]),
    ...(where === undefined ? [] : [`in ${where}`]),
  ].join(" ");
}

export function edgePort(edge: { readonly protocol: number; readonly port: number }): string {
  return formatPort(edge.protocol, edge.port);
}
