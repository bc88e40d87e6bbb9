/**
 * Tells the flows of our own probes from those of the workloads: for a short while after a probe, so many connections
 * with its ends, protocol and port are its own, and a record that holds more is split.
 */
import type { FlowRecord } from "@bulkhead/model";
import type { ObservedRecord } from "@bulkhead/wire";

export interface ProbeKey {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly port: number;
}

interface Mark {
  until: number;
  forwarded: number;
  denied: number;
}

/** A record may come so long after its packets: window, queue, dump of live connections. */
const REMEMBERED_MS = 10_000;
/** Retransmitted first packets of one refused attempt are logged each. */
const DENIED_PACKETS = 6;

export class ProbeMarks {
  readonly #marks = new Map<string, Mark>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(probe: ProbeKey): void {
    const key = keyOf(probe);
    const mark = this.#marks.get(key) ?? { until: 0, forwarded: 0, denied: 0 };
    mark.forwarded += 1;
    mark.denied += DENIED_PACKETS;
    mark.until = this.#now() + REMEMBERED_MS;
    this.#marks.set(key, mark);
  }

  apply(records: readonly FlowRecord[]): readonly ObservedRecord[] {
    this.#forget();
    if (this.#marks.size === 0) return records;
    return records.flatMap((record) => this.#split(record));
  }

  #split(record: FlowRecord): readonly ObservedRecord[] {
    const mark = this.#marks.get(keyOf(record));
    if (mark === undefined) return [record];
    // Later news of a connection: the probe's own is the likeliest, and nothing is learned from such a record.
    if (record.connections === 0) return [{ ...record, probe: true }];
    const kind =
      record.verdict === "forwarded" || record.verdict === "audit" ? "forwarded" : "denied";
    const own = Math.min(mark[kind], record.connections);
    if (own === 0) return [record];
    mark[kind] -= own;
    if (own === record.connections) return [{ ...record, probe: true }];
    const others = record.connections - own;
    return [
      {
        ...record,
        connections: own,
        established: 0,
        failed: 0,
        bytes: 0,
        packets: own,
        probe: true,
      },
      { ...record, connections: others, packets: Math.max(0, record.packets - own) },
    ];
  }

  #forget(): void {
    const now = this.#now();
    for (const [key, mark] of this.#marks) if (mark.until < now) this.#marks.delete(key);
  }
}

function keyOf({ source, destination, protocol, port }: ProbeKey): string {
  return `${source} ${destination} ${protocol} ${port}`;
}
