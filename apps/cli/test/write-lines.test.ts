/** Long answers go out no faster than they are taken. */
import { expect, it } from "vitest";
import { writeLines } from "../src/offline/write.ts";

it("waits for whoever reads", async () => {
  let waiting: (() => void) | undefined;
  let taken = 0;
  const out = {
    write(text: string) {
      // Nobody writes again before what was written is taken.
      expect(waiting).toBeUndefined();
      taken += text.length;
      return false;
    },
    once(_: "drain", listener: () => void) {
      waiting = listener;
      setImmediate(() => {
        waiting = undefined;
        listener();
      });
    },
  };
  const line = `${"x".repeat(999)}\n`;
  await writeLines(
    out,
    Array.from({ length: 1000 }, () => line),
  );
  expect(taken).toBe(1_000_000);
});
