/** What a supervisor says of how often it started the controller again. */
import { expect, it } from "vitest";
import { readRestarts } from "../src/restarts.ts";

it("is read as it is written, and is nothing otherwise", () => {
  expect(readRestarts("2 1790000000000 SIGKILL")).toEqual({
    count: 2,
    at: 1_790_000_000_000,
    how: "SIGKILL",
  });
  expect(readRestarts("1 1790000000000 exit 3")?.how).toBe("exit 3");
  for (const text of ["", "0 1 SIGKILL", "2", "2 x SIGKILL", "1 1 \u001b[2J", "1 1"]) {
    expect(readRestarts(text)).toBeUndefined();
  }
  expect(readRestarts(undefined)).toBeUndefined();
});
