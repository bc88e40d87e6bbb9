/** Taking everything away again: the programs, our rules in the kernel, and, where that is asked for, the data. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "../context.ts";
import { cannotRun } from "../failure.ts";
import { withProgress } from "../progress.ts";
import { list } from "../ui/words.ts";
import {
  endAll,
  findProcesses,
  forgetNamespace,
  forgetProcesses,
  guardedNamespace,
  type Found,
} from "./daemon.ts";
import { OURS, type Layout } from "./layout.ts";
import { holdNamespace, removeKernelState } from "./remove-kernel-state.ts";
import { isKept, systemd } from "./units.ts";

export interface TakenDown {
  readonly ended: readonly Found["name"][];
  readonly kernel: "removed" | "nothing" | "namespace gone";
  /** What is not ours in a state directory that was to be removed. */
  readonly foreign: readonly string[];
}

/** Under the lock of the state directory. */
export async function takeDown(
  context: Context,
  layout: Layout,
  purging: boolean,
): Promise<TakenDown> {
  const found = findProcesses(layout);
  const guarded = guardedNamespace(layout);
  const held = guarded === undefined ? undefined : holdNamespace(guarded, found);
  try {
    const left = await withProgress(context, "ending", async () => {
      // It would start again what was killed.
      if (isKept(systemd, layout.root)) await systemd.control("stop", "bulkhead.service");
      return endAll(layout);
    });
    if (left.length > 0) {
      throw cannotRun(
        `could not end ${list(left.map((one) => `${one.name} (pid ${one.mark.pid})`))}`,
      );
    }
    if (held !== undefined) {
      await withProgress(context, "removing our rules from the kernel", () =>
        removeKernelState(layout, held),
      );
    }
  } finally {
    held?.release();
  }
  forgetProcesses(layout);
  forgetNamespace(layout);
  for (const socket of ["api.sock", "read.sock", "agent.sock"])
    rmSync(join(layout.root, socket), { force: true });
  return {
    ended: found.map((one) => one.name),
    kernel: guarded === undefined ? "nothing" : held === undefined ? "namespace gone" : "removed",
    foreign: purging ? purge(layout) : [],
  };
}

/** Only what we made, never the folder a person named by mistake. */
function purge(layout: Layout): string[] {
  for (const name of OURS) rmSync(join(layout.root, name), { recursive: true, force: true });
  const foreign = readdirSync(layout.root);
  if (foreign.length === 0) rmSync(layout.root, { recursive: true });
  return foreign;
}
