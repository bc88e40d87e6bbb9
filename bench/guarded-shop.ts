/** The shop's lab with Bulkhead up in its host namespace, as `make demo` has it; and everything taken down again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lab, sweepLeftovers } from "@bulkhead/example-shop";
import { readMark } from "../apps/cli/src/process/marks.ts";
import { Bulkhead } from "../scripts/demo/bulkhead-cli.ts";

export interface GuardedShop {
  readonly lab: Lab;
  readonly state: string;
  /** Process ids of the two programs. */
  readonly controller: number;
  readonly agent: number;
}

export async function withGuardedShop<T>(work: (shop: GuardedShop) => Promise<T>): Promise<T> {
  await sweepLeftovers();
  const lab = await Lab.up({ reference: false, kept: false });
  const state = mkdtempSync(join(tmpdir(), "bh-bench-"));
  const bulkhead = new Bulkhead(state, lab.hostNamespace, {});
  try {
    await bulkhead.up();
    return await work({
      lab,
      state,
      controller: pidIn(state, "controller"),
      agent: pidIn(state, "agent"),
    });
  } finally {
    await bulkhead.down().finally(() => lab.down());
    rmSync(state, { recursive: true, force: true });
  }
}

function pidIn(state: string, name: string): number {
  const mark = readMark(join(state, "run", `${name}.pid`));
  if (mark === undefined) throw new Error(`${name} left no mark`);
  return mark.pid;
}
