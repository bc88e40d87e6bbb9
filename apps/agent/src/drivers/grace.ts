/**
 * Waiting until no packet under way can still see rules of before: one RCU grace period, which the kernel grants to
 * anybody through membarrier(2). Where it does not (nohz_full kernels), a pause far longer than any packet's way.
 */
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import type koffiModule from "koffi";

const CALL_NUMBERS: Readonly<Record<string, number>> = { x64: 324, arm64: 283 };
const MEMBARRIER_CMD_GLOBAL = 1;
const PAUSE_MS = 100;

type Call = { async(...args: unknown[]): void };
let call: Call | undefined;

const membarrier = (number: number): Promise<number> =>
  new Promise((resolve, reject) => {
    if (call === undefined) {
      const koffi = createRequire(import.meta.url)("koffi") as typeof koffiModule;
      call = koffi.load("libc.so.6").func("int64_t syscall(int64_t, int64_t, int64_t, int64_t)");
    }
    call.async(number, MEMBARRIER_CMD_GLOBAL, 0, 0, (error: unknown, result: number | bigint) => {
      if (error === null || error === undefined) resolve(Number(result));
      else reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
    });
  });

export const gracePeriod = async (): Promise<void> => {
  const number = CALL_NUMBERS[process.arch];
  if (number === undefined || (await membarrier(number)) !== 0) await pause(PAUSE_MS);
};
