/** Sending without waiting for each: so many under way, in order, and none after a failure. */
import { expect, it } from "vitest";
import { createSendLine } from "../src/flows/send-line.ts";

function set() {
  const begun: number[] = [];
  const ends = new Map<number, PromiseWithResolvers<void>>();
  const line = createSendLine<number>((one) => {
    begun.push(one);
    const end = Promise.withResolvers<void>();
    ends.set(one, end);
    return end.promise;
  });
  return { begun, line, ends };
}

it("has two under way, in order, and waits for all of them in the end", async () => {
  const { begun, line, ends } = set();
  await line.send(1);
  await line.send(2);
  let sent = false;
  const third = line.send(3).then(() => (sent = true));
  await new Promise(setImmediate);
  expect([begun, sent]).toEqual([[1, 2], false]);
  ends.get(2)?.resolve();
  await third;
  expect(begun).toEqual([1, 2, 3]);
  let idle = false;
  const end = line.idle().then(() => (idle = true));
  ends.get(1)?.resolve();
  await new Promise(setImmediate);
  expect(idle).toBe(false);
  ends.get(3)?.resolve();
  await end;
});

it("sends nothing after a failure, and tells the first one, once what is under way is over", async () => {
  const { begun, line, ends } = set();
  await line.send(1);
  await line.send(2);
  ends.get(2)?.reject(new Error("full"));
  await expect(line.send(3)).rejects.toThrow("full");
  expect(begun).toEqual([1, 2]);
  let settled = false;
  const over = line.settled().then(() => (settled = true));
  await new Promise(setImmediate);
  expect(settled).toBe(false);
  ends.get(1)?.reject(new Error("later"));
  await over;
  await expect(line.idle()).rejects.toThrow("full");
});
