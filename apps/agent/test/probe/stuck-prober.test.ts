/** Whoever holds the process that probes, by freezing a group that it speaks from, holds up one round of probes and no more. */
import { TCP } from "@bulkhead/model";
import { expect, it } from "vitest";
import { createProber } from "../../src/probe/index.ts";

it("is ended and told of, and the next probe starts another", async () => {
  const prober = createProber(undefined, 300);
  const probe = () =>
    prober.probe({
      source: "127.0.0.1",
      destination: "127.0.0.1",
      protocol: TCP,
      port: 9,
      expectPass: true,
    });
  try {
    const found = probe();
    const held = prober.pid;
    expect(held).toBeTypeOf("number");
    process.kill(held!, "SIGSTOP");
    await expect(found).resolves.toMatchObject({
      outcome: "inconclusive",
      detail: "the prober ended (SIGKILL)",
    });
    void probe();
    expect(prober.pid).not.toBe(held);
  } finally {
    await prober.stop();
  }
});
