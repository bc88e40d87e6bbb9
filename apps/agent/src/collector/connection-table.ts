/**
 * Remembers, for live connections, how much of them was already reported, so that periodic dumps and the final DESTROY
 * event together count every byte and every outcome once. Fixed size; a connection that finds no room is reported by its
 * DESTROY event alone, as a whole.
 */
import { finish, mix } from "./address-index.ts";
import { isEstablished, isHandshaking, type Connection } from "./conntrack-message.ts";

const TOLD_ESTABLISHED = 1;
const TOLD_FAILED = 2;

/** How long a connection may stay unanswered before it is told as failed; a late answer still counts as established. */
const UNANSWERED_MS = 10_000;

/** What is new about a connection since it was last reported. */
export interface ConnectionNews {
  /** 1 when this connection was there before the collector and is told for the first time. */
  connections: number;
  established: number;
  failed: number;
  bytes: number;
  packets: number;
}

export class ConnectionTable {
  readonly news: ConnectionNews = {
    connections: 0,
    established: 0,
    failed: 0,
    bytes: 0,
    packets: 0,
  };
  /** Dumps that met a live connection for which there was no room; it is told when it ends. */
  untracked = 0;
  /** Entries that vanished without a DESTROY event: their last bytes are unknown. */
  orphaned = 0;

  readonly #capacity: number;
  readonly #since: number;
  readonly #toldUntil: number;
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #ids: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #bytes: Float64Array;
  readonly #packets: Float64Array;
  readonly #told: Uint8Array;
  readonly #seenIn: Uint32Array;
  readonly #mask: number;
  readonly #seed: number;
  #free = 0;
  #size = 0;
  #dump = 1;
  // The entry that `assess` looked at, for `settle`.
  #current = -1;

  /**
   * `since`: when the collector started; what existed before is a baseline. `toldUntil`: what began before that was told by
   * a collector before this one.
   */
  constructor(capacity: number, since: number, seed: number, toldUntil = 0) {
    const buckets = 1 << Math.ceil(Math.log2(capacity));
    this.#capacity = capacity;
    this.#since = since;
    this.#toldUntil = toldUntil;
    this.#seed = seed;
    this.#mask = buckets - 1;
    this.#heads = new Int32Array(buckets).fill(-1);
    this.#next = new Int32Array(capacity);
    for (let entry = 0; entry < capacity; entry++)
      this.#next[entry] = entry + 1 < capacity ? entry + 1 : -1;
    this.#ids = new Uint32Array(capacity);
    this.#hashes = new Uint32Array(capacity);
    this.#bytes = new Float64Array(capacity);
    this.#packets = new Float64Array(capacity);
    this.#told = new Uint8Array(capacity);
    this.#seenIn = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Fills `news` with what is not yet reported of this connection; true when there is something. Nothing counts as
   * reported before `settle`.
   */
  assess(connection: Connection, now: number): boolean {
    const hash = this.#hash(connection);
    let entry = this.#find(connection.id, hash);
    const news = this.news;
    news.connections = 0;
    const earlier = connection.start === 0 || connection.start < this.#since;
    if (entry < 0 && !connection.final) {
      entry = this.#insert(connection.id, hash);
      if (entry < 0) {
        this.untracked++;
        this.#current = -1;
        return false;
      }
      if (earlier) {
        // It was there before us: what it carried until now is not ours to count, but that it lives is news. One that
        // is over may have been told before this collector started.
        if (connection.over) this.#told[entry] = TOLD_ESTABLISHED | TOLD_FAILED;
        else if (connection.start > 0 && connection.start < this.#toldUntil)
          this.#told[entry] = isEstablished(connection)
            ? TOLD_ESTABLISHED
            : hasFailed(connection, this.#toldUntil)
              ? TOLD_FAILED
              : 0;
        else news.connections = isEstablished(connection) ? 1 : 0;
        this.#bytes[entry] = connection.bytes;
        this.#packets[entry] = connection.packets;
      }
    }
    if (entry < 0 && earlier) {
      // Ended before any dump saw it: no baseline, so nothing can be said of it.
      this.#current = -1;
      return false;
    }
    this.#current = entry;
    let told = 0;
    news.bytes = connection.bytes;
    news.packets = connection.packets;
    if (entry >= 0) {
      this.#seenIn[entry] = this.#dump;
      told = this.#told[entry]!;
      news.bytes = Math.max(0, connection.bytes - this.#bytes[entry]!);
      news.packets = Math.max(0, connection.packets - this.#packets[entry]!);
    }
    const established = isEstablished(connection);
    news.established = established && (told & TOLD_ESTABLISHED) === 0 ? 1 : 0;
    news.failed = !established && told === 0 && hasFailed(connection, now) ? 1 : 0;
    return news.connections + news.established + news.failed + news.bytes + news.packets > 0;
  }

  /** The news last assessed was accepted for reporting: remember it. Forgets the connection when it has ended. */
  settle(connection: Connection): void {
    const entry = this.#current;
    if (entry < 0) return;
    if (connection.final) {
      this.#remove(entry);
      return;
    }
    this.#bytes[entry] = connection.bytes;
    this.#packets[entry] = connection.packets;
    if (this.news.established === 1) this.#told[entry]! |= TOLD_ESTABLISHED;
    if (this.news.failed === 1) this.#told[entry]! |= TOLD_FAILED;
  }

  /** A whole dump has been read: forgets what two dumps in a row have not seen and no event ended. */
  endDump(): void {
    for (let bucket = 0; bucket <= this.#mask; bucket++) {
      for (let entry = this.#heads[bucket]!; entry >= 0;) {
        const next = this.#next[entry]!;
        if (this.#dump - this.#seenIn[entry]! >= 2) {
          this.orphaned++;
          this.#remove(entry);
        }
        entry = next;
      }
    }
    this.#dump++;
  }

  #hash({ ends, start }: Connection): number {
    let hash = mix(this.#seed, (ends.protocol << 16) | ends.port);
    hash = mix(hash, ends.sourcePort);
    hash = mix(mix(mix(mix(hash, ends.s0), ends.s1), ends.s2), ends.s3);
    hash = mix(mix(mix(mix(hash, ends.d0), ends.d1), ends.d2), ends.d3);
    return finish(mix(hash, start % 4_294_967_296));
  }

  #find(id: number, hash: number): number {
    let entry = this.#heads[hash & this.#mask]!;
    while (entry >= 0 && (this.#ids[entry] !== id || this.#hashes[entry] !== hash))
      entry = this.#next[entry]!;
    return entry;
  }

  #insert(id: number, hash: number): number {
    if (this.#size >= this.#capacity) return -1;
    const entry = this.#free;
    this.#free = this.#next[entry]!;
    this.#size++;
    this.#ids[entry] = id;
    this.#hashes[entry] = hash;
    this.#bytes[entry] = this.#packets[entry] = this.#told[entry] = 0;
    this.#next[entry] = this.#heads[hash & this.#mask]!;
    this.#heads[hash & this.#mask] = entry;
    return entry;
  }

  #remove(entry: number): void {
    const bucket = this.#hashes[entry]! & this.#mask;
    let at = this.#heads[bucket]!;
    if (at === entry) this.#heads[bucket] = this.#next[entry]!;
    else {
      while (this.#next[at] !== entry) at = this.#next[at]!;
      this.#next[at] = this.#next[entry]!;
    }
    this.#next[entry] = this.#free;
    this.#free = entry;
    this.#size--;
  }
}

/** Refused, reset before it came about, ended without, or unanswered for too long. */
function hasFailed(connection: Connection, now: number): boolean {
  if (connection.final) return true;
  if (isHandshaking(connection.ends.protocol) && connection.closed) return true;
  return !connection.seenReply && connection.start > 0 && now - connection.start > UNANSWERED_MS;
}
