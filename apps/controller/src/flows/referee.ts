/**
 * The reference watches the kernel: every observed flow is decided again by `decide`, and a verdict that differs is
 * reported. Each distinct flow is decided once for a given policy and inventory, so this costs a map look-up per record.
 */
import { decide, type InventoryIndex } from "@bulkhead/engine";
import { formatPort, ICMPV6, type Flow, type FlowVerdict, type PolicySet } from "@bulkhead/model";

export interface Judged {
  readonly set: PolicySet;
  readonly index: InventoryIndex;
  /** Since when the kernel holds it; what began earlier was judged by another. */
  readonly since: number;
}

/** The kernel's first packets and our clock are this far apart at most. */
const SETTLING_MS = 1500;
const MAX_REMEMBERED = 200_000;

export class Referee {
  #judged: Judged | null = null;
  #known = new Map<string, string | null>();

  adopt(judged: Judged): void {
    this.#judged = judged;
    this.#known = new Map();
  }

  /** While a change is under way the kernel may hold the old or the new. */
  suspend(): void {
    this.#judged = null;
  }

  /** What is wrong with the verdict, in a sentence; null when nothing is. */
  judge(flow: Flow, now: number): string | null {
    const judged = this.#judged;
    if (judged === null || flow.start < judged.since + SETTLING_MS || flow.connections === 0)
      return null;
    if (isExempt(flow)) return null;
    const key = `${flow.source.address} ${flow.destination.address} ${flow.protocol} ${flow.port} ${flow.verdict}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const finding = examine(judged, flow, now);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, finding);
    return finding;
  }
}

function examine({ set, index }: Judged, flow: Flow, now: number): string | null {
  const query = {
    source: flow.source.address,
    destination: flow.destination.address,
    protocol: flow.protocol,
    port: flow.port,
  };
  const live = decide(set, index, query, { now, view: "live" }).verdict;
  const shadow = decide(set, index, query, { now, view: "shadow" }).verdict;
  const expected: readonly FlowVerdict[] =
    live === "drop"
      ? ["dropped"]
      : live === "reject"
        ? ["rejected"]
        : // What only the shadow denies is seen twice: as it was forwarded, and as it would have been judged.
          shadow === "allow"
          ? ["forwarded"]
          : ["audit", "forwarded"];
  if (expected.includes(flow.verdict)) return null;
  const what = `${flow.source.name} (${query.source}) → ${flow.destination.name} (${query.destination}) ${formatPort(query.protocol, query.port)}`;
  return `the kernel says \`${flow.verdict}\` for ${what}, the reference \`${expected[0]}\``;
}

/** Verdicts of anti-spoofing, and what the datapath exempts by a printed list: neighbour and multicast-listener discovery. */
function isExempt(flow: Flow): boolean {
  if (flow.verdict === "spoofed" || flow.verdict === "error") return true;
  const { address } = flow.destination;
  if (
    address.startsWith("ff") ||
    address === "255.255.255.255" ||
    /^2(?:2[4-9]|3\d)\./.test(address)
  )
    return true;
  const type = Math.floor(flow.port / 256);
  return flow.protocol === ICMPV6 && ((type >= 130 && type <= 137) || type === 143);
}
