/**
 * Redis for the shop's services: one connection per family that is kept for good, and short ones made now
 * and then, so that new connections appear as they do in life.
 */
import { Redis } from "ioredis";
import type { Names } from "./names.ts";

export async function openCache(names: Names, family: 4 | 6): Promise<Redis> {
  const { address } = await names.one("cache", family);
  const redis = new Redis({
    host: address,
    port: 6379,
    family,
    lazyConnect: true,
    connectTimeout: 3000,
    commandTimeout: 3000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null, // a lost connection stays lost: that is what is counted
  });
  redis.on("error", (error: Error) => process.stderr.write(`cache: ${error.message}\n`));
  await redis.connect();
  return redis;
}

export class CacheSession {
  readonly #names: Names;
  #held: readonly Redis[] = [];
  #turn = 0;
  #lost = 0;

  constructor(names: Names) {
    this.#names = names;
  }

  async open(): Promise<void> {
    this.#held = await Promise.all([openCache(this.#names, 4), openCache(this.#names, 6)]);
    for (const redis of this.#held) redis.on("end", () => (this.#lost += 1));
  }

  /** Every fifth use has a connection of its own. */
  async use<Result>(work: (redis: Redis) => Promise<Result>): Promise<Result> {
    this.#turn += 1;
    if (this.#turn % 5 === 0) {
      const redis = await openCache(this.#names, this.#turn % 2 === 0 ? 4 : 6);
      try {
        return await work(redis);
      } finally {
        redis.disconnect();
      }
    }
    const redis = this.#held[this.#turn % 2];
    if (redis === undefined) throw new Error("the cache is not connected");
    return work(redis);
  }

  report(): { readonly lost: number; readonly held: number } {
    return { lost: this.#lost, held: this.#held.length };
  }
}
