/**
 * Connections whose opener nobody can tell, and of which only one direction is permitted: they go on for a bounded time,
 * are told of meanwhile, and end then. What began anew by then is judged by its first packet, like everything else.
 */
import { connectionKey, reversed, type LiveConnection } from "./origins.ts";

export interface Undecided {
  /** In the direction that is permitted. */
  readonly connection: LiveConnection;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export class UndecidedConnections {
  readonly #now: () => number;
  readonly #graceMs: number;
  #known = new Map<string, Undecided>();

  constructor(now: () => number, graceMs: number) {
    this.#now = now;
    this.#graceMs = graceMs;
  }

  /** Whether it may go on; its time begins when it is first asked about. */
  mayGoOn(connection: LiveConnection): boolean {
    const key = keyOf(connection);
    const until = this.#known.get(key)?.until ?? this.#now() + this.#graceMs;
    this.#known.set(key, { connection, until });
    return until > this.#now();
  }

  /** Forgets all but these: what is not found any more has ended, or is permitted either way by now. */
  keepOnly(found: readonly LiveConnection[]): void {
    const keys = new Set(found.map(keyOf));
    this.#known = new Map([...this.#known].filter(([key]) => keys.has(key)));
  }

  /** Those that go on. */
  list(): readonly Undecided[] {
    return [...this.#known.values()].filter(({ until }) => until > this.#now());
  }

  /** Those whose time is over; they stay known as long as their sockets do, lest they be let in again. */
  over(): readonly LiveConnection[] {
    return [...this.#known.values()]
      .filter(({ until }) => until <= this.#now())
      .map(({ connection }) => connection);
  }
}

/** The same for both directions. */
function keyOf(connection: LiveConnection): string {
  const [one = "", other = ""] = [connectionKey(connection), connectionKey(reversed(connection))];
  return one < other ? one : other;
}
