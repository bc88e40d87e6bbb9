/** What people ask for, as the change that it would make of what is in force. Throws ApiFailure where it makes no sense. */
import {
  ApiFailure,
  type ApplyRequest,
  type DeleteRequest,
  type LabelRequest,
  type RollbackRequest,
} from "@bulkhead/api";
import type { World } from "../world/world.ts";
import { compareHeld, inMode, mergeGiven, readGiven, withoutNamed } from "./candidate.ts";
import type { Change, InForce } from "./change.ts";
import { assertReasoned } from "./judgement.ts";
import { modeInForce } from "./modes.ts";
import { labelled, LABELS_KEY, reasonOf } from "./labelling.ts";
import type { readRevision } from "./policy-book.ts";
import { readPolicy, type Reading } from "./reading.ts";
import { canaryOf, openedBy, unusedShare } from "./rollout.ts";

type Filled<T, O extends keyof T> = Required<Omit<T, O>> & Pick<T, O>;

export type ToApply = Filled<ApplyRequest, "confirmSeconds" | "canary">;
export type ToDelete = Filled<DeleteRequest, "confirmSeconds" | "mode">;
export type ToLabel = Filled<LabelRequest, "confirmSeconds">;
export type ToRollback = Filled<RollbackRequest, "confirmSeconds" | "mode">;

export function changeToApply(request: ToApply, { held: before }: InForce): Change {
  const given = readGiven(request.files);
  const canary = canaryOf(request, before);
  const { held, changes } = mergeGiven(before, given, { ...request, canary });
  const notices = [...openedBy(before, held, request), ...unusedShare(canary, held)];
  const { diagnostics, partial } = given;
  return { kind: "apply", ...request, held, changes, diagnostics, partial, notices };
}

export function changeToDelete(request: ToDelete, { held: current }: InForce): Change {
  const { resources, mode, ...options } = request;
  const held = inMode(withoutNamed(current, resources), mode);
  return {
    ...options,
    kind: "delete",
    held,
    changes: compareHeld(current, held),
    files: [],
    diagnostics: [],
    mode: mode ?? modeInForce(held.map(({ stored }) => stored)),
    strict: false,
  };
}

export function changeToLabel(
  request: ToLabel,
  { held: current }: InForce,
  { now, worldUnder }: { readonly now: number; readonly worldUnder: (reading: Reading) => World },
): Change {
  assertReasoned(request);
  const { confirmSeconds, dryRun, force, author } = request;
  const without = current.filter(({ stored }) => stored.key !== LABELS_KEY);
  const plain = worldUnder(readPolicy(without, { now, strict: false }));
  const file = labelled(request, current, plain);
  const mode = modeInForce(current.map(({ stored }) => stored));
  const given = readGiven(file === undefined ? [] : [file]);
  const { held } = mergeGiven(file === undefined ? without : current, given, {
    mode,
    prune: false,
  });
  return {
    confirmSeconds,
    dryRun,
    force,
    author,
    kind: "apply",
    relabels: true,
    held,
    changes: compareHeld(current, held),
    files: given.files,
    diagnostics: given.diagnostics,
    reason: request.reason === "" ? reasonOf(request) : request.reason,
    mode,
    strict: false,
  };
}

/** `found`: the revision asked for, null when there is none. */
export function changeToRollback(
  request: ToRollback,
  { held: current }: InForce,
  found: Awaited<ReturnType<typeof readRevision>>,
): Change {
  // Before a reason is made up for it.
  assertReasoned(request);
  const { revision, mode, ...options } = request;
  if (found === null) {
    throw new ApiFailure("unknown-revision", `there is no revision ${revision}`, {
      help: "`bulkhead history` lists them",
    });
  }
  const held = inMode(found.held, mode);
  return {
    ...options,
    kind: "rollback",
    held,
    changes: compareHeld(current, held),
    files: [],
    diagnostics: [],
    mode: mode ?? modeInForce(held.map(({ stored }) => stored)),
    reason: request.reason === "" ? `back to revision ${revision}` : request.reason,
    dryRun: false,
    strict: false,
    restores: revision,
  };
}
