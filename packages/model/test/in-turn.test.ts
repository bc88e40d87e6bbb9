import { describe, expect, it } from "vitest";
import { createInTurn } from "../src/index.ts";

/** A piece of work that ends when told to. */
function held<T>(name: string, log: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const work = async (): Promise<T> => {
    log.push(`${name} starts`);
    try {
      return await promise;
    } finally {
      log.push(`${name} ends`);
    }
  };
  return { work, resolve, reject };
}

describe("in turn", () => {
  it("starts work in the order asked for, and none before the one ahead has ended", async () => {
    const log: string[] = [];
    const inTurn = createInTurn();
    const [a, b, c] = ["a", "b", "c"].map((name) => held<string>(name, log));
    const results = [a, b, c].map((one) => inTurn(one!.work));
    // The last is done first, and has to wait all the same.
    c!.resolve("C");
    b!.resolve("B");
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(["a starts"]);
    a!.resolve("A");
    expect(await Promise.all(results)).toEqual(["A", "B", "C"]);
    expect(log).toEqual(["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
  });

  it("gives an error to the one who asked, and goes on", async () => {
    const log: string[] = [];
    const inTurn = createInTurn();
    const bad = held<string>("bad", log);
    const first = inTurn(bad.work);
    const second = inTurn(async () => "fine");
    const third = inTurn(() => {
      throw new Error("not even begun");
    });
    bad.reject(new Error("broken"));
    await expect(first).rejects.toThrow("broken");
    expect(await second).toBe("fine");
    await expect(third).rejects.toThrow("not even begun");
    expect(await inTurn(async () => "still fine")).toBe("still fine");
  });

  it("is idle when all work asked for has ended, well or badly", async () => {
    const log: string[] = [];
    const inTurn = createInTurn();
    await inTurn.idle();
    const bad = held<never>("bad", log);
    const good = held<number>("good", log);
    const failed = inTurn(bad.work).catch(() => log.push("told"));
    const done = inTurn(good.work);
    const idle = inTurn.idle().then(() => log.push("idle"));
    bad.reject(new Error("broken"));
    await failed;
    expect(log).not.toContain("idle");
    good.resolve(1);
    await idle;
    expect(await done).toBe(1);
    expect(log.at(-1)).toBe("idle");
  });
});
