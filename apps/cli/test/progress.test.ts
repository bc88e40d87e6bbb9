/** What is said of work that takes long: a bar where somebody looks, and one plain line where it is written down. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startProgress } from "../src/progress.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function written(isTTY: boolean, env: Readonly<Record<string, string>> = {}): string {
  let text = "";
  const stderr = { ...(isTTY ? { isTTY: true } : {}), write: (more: string) => (text += more) };
  const progress = startProgress({ stderr, env, now: () => Date.now() }, "importing vpc.log");
  for (let share = 1; share <= 5; share += 1) {
    progress.update(`importing vpc.log ████░░░░ ${share * 20} %`);
    vi.advanceTimersByTime(700);
  }
  progress.done();
  vi.advanceTimersByTime(10_000);
  return text;
}

it("redraws one line on a terminal, and wipes it", () => {
  const text = written(true);
  expect(text).toContain("\r\u001b[Kimporting vpc.log ████░░░░ 40 % … 1s");
  expect(text.endsWith("\r\u001b[K")).toBe(true);
});

it("writes one plain line into a file, without a bar, and nothing of how far it is", () => {
  expect(written(false)).toBe("importing vpc.log …\n");
  expect(written(true, { TERM: "dumb" })).toBe("importing vpc.log …\n");
});
