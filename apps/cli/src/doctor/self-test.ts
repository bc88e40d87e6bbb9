/** The agent's self-test as a check: real packets in scratch namespaces, which only root can make. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isStateDirectory } from "../process/layout.ts";
import { runAgent } from "../process/run-agent.ts";
import type { Check } from "./checks.ts";

export async function selfTest(state: string): Promise<Omit<Check, "name" | "necessary">> {
  // Before the first `up` there is no state to keep the result in, and looking must leave none.
  const kept = isStateDirectory(state);
  const folder = kept ? state : mkdtempSync(join(tmpdir(), "bulkhead-doctor-"));
  try {
    const { answer, words } = await runAgent(folder, "--self-test", "works");
    if (answer === undefined)
      return { state: "fails", detail: words.join("; ") || "the agent said nothing" };
    const { works, absent, failure, tookMs } = answer as {
      readonly works: readonly string[];
      readonly absent: readonly string[];
      readonly failure?: { readonly feature: string; readonly detail: string };
      readonly tookMs: number;
    };
    if (failure !== undefined) {
      return {
        state: "fails",
        detail: `${failure.feature}: ${failure.detail}`,
        help: "this kernel or this nftables cannot enforce; nothing was changed",
      };
    }
    const without = absent.length === 0 ? "" : `; this kernel has no ${absent.join(", no ")}`;
    return {
      state: "works",
      detail: `${works.length} of ${works.length} in ${tookMs} ms${without}`,
    };
  } finally {
    if (!kept) rmSync(folder, { recursive: true });
  }
}
