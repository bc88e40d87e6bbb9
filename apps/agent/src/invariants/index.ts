/**
 * Whether this machine can still do what it must: each thing is tried for real, from the machine itself, all at once and
 * for a bounded time. Whether a policy is to blame is for whoever compares a look before it with one after.
 */
import { randomInt } from "node:crypto";
import { invariantKey, type Invariant, type InvariantCheck } from "@bulkhead/model";
import type { HostSession } from "@bulkhead/wire";
import { ask } from "./ask.ts";
import { configuredHere, invariantsFound } from "./found.ts";
import { watchSessions } from "./sessions.ts";

/** Longest time of one look. */
export const CHECK_PATIENCE_MS = 1500;
/** More are not looked at. */
const MOST = 64;

export interface CheckOrder {
  readonly invariants: readonly Invariant[];
  /** Also what the machine itself tells of. */
  readonly found: boolean;
}

/** In the calling process's own namespace. */
export async function checkInvariants(
  { invariants, found }: CheckOrder,
  sessions: () => readonly HostSession[],
): Promise<readonly InvariantCheck[]> {
  const here = found ? await invariantsFound(configuredHere(), sessions()) : [];
  const all = [
    ...new Map([...here, ...invariants].map((one) => [invariantKey(one), one])).values(),
  ];
  return Promise.all(
    all.slice(0, MOST).map(async ({ kind, address, port }): Promise<InvariantCheck> => {
      const one = { kind, address, port };
      const finding =
        kind === "ssh"
          ? await watchSessions(one, CHECK_PATIENCE_MS)
          : await ask(one, randomInt(2 ** 32), CHECK_PATIENCE_MS);
      return { ...one, ...finding };
    }),
  );
}
