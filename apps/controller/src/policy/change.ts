/** One change of policy on its way: what it holds, how it is recorded, and what a person may not expect of it. */
import { ApiFailure, type ApplyAnswer, type ReceiptSummary } from "@bulkhead/api";
import type { Resource } from "@bulkhead/dialects";
import { sameOrigin, type Diagnostic } from "@bulkhead/model";
import {
  hashText,
  StoreFullError,
  type ApplyMode,
  type ChangeSummary,
  type NewRevision,
  type Revision,
  type StoredFile,
} from "@bulkhead/store";
import { compareHeld, type HeldResource } from "./candidate.ts";
import type { InKernel } from "./distributor.ts";
import type { Reading } from "./reading.ts";
import { isRolledOut, rolloutNotices, sameCanary } from "./rollout.ts";

/** What is in force, in every form it is asked for. */
export interface InForce {
  readonly revision: number;
  readonly record: Revision | null;
  readonly held: readonly HeldResource[];
  readonly reading: Reading;
}

export interface Change {
  readonly kind: NewRevision["kind"];
  readonly held: readonly HeldResource[];
  readonly changes: ChangeSummary;
  readonly files: readonly StoredFile[];
  readonly mode: ApplyMode;
  readonly author: string;
  readonly reason: string;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly strict: boolean;
  readonly confirmSeconds?: number;
  readonly restores?: number;
  /** Going back newly allows something, and that is meant. */
  readonly opens?: boolean;
  /** Only who is who changes: what that permits and forbids is told along. */
  readonly relabels?: true;
  /** What it opens, and was told to open. */
  readonly notices?: readonly string[];
  /** Found while its files were read. */
  readonly diagnostics: readonly Diagnostic[];
  /** What could be read of resources with errors. */
  readonly partial?: readonly Resource[];
}

export function recordOf(change: Change, time: number): NewRevision {
  return {
    time,
    kind: change.kind,
    author: change.author,
    reason: change.reason,
    mode: change.mode,
    forced: change.force,
    changes: change.changes,
    given: change.files.map(({ name, text, origin }) => ({
      name,
      hash: hashText(text),
      ...(origin && { origin }),
    })),
    resources: change.held.map(({ stored }) => stored),
    ...(change.restores === undefined ? {} : { restores: change.restores }),
  };
}

/** Back to what was in force before, by the controller's own decision. */
export function revertOf(
  from: InForce,
  to: Pick<InForce, "held" | "record" | "revision">,
  reason: string,
  time: number,
): NewRevision {
  return {
    time,
    kind: "revert",
    author: "bulkhead",
    reason,
    mode: to.record?.mode ?? "audit",
    forced: false,
    changes: compareHeld(from.held, to.held),
    given: [],
    resources: to.held.map(({ stored }) => stored),
    restores: to.revision,
  };
}

/** The same resources, from the same texts, with the same modes. */
export function sameEntries(
  before: readonly HeldResource[],
  after: readonly HeldResource[],
): boolean {
  return (
    before.length === after.length &&
    before.every(({ stored }, at) => {
      const other = after[at]?.stored;
      return (
        stored === other ||
        (stored.key === other?.key &&
          stored.fileName === other.fileName &&
          stored.fileHash === other.fileHash &&
          stored.mode === other.mode &&
          sameOrigin(stored.origin, other.origin) &&
          sameCanary(stored.canary, other.canary))
      );
    })
  );
}

export function listsOf(changes: ChangeSummary): ApplyAnswer["resources"] {
  return {
    added: [...changes.added],
    changed: [...changes.changed],
    removed: [...changes.removed],
    unchanged: [...changes.unchanged],
    kept: [...changes.kept],
  };
}

/** What its files hold, by name. */
export function givenBy({ changes }: Pick<Change, "changes">): ReadonlySet<string> {
  return new Set([...changes.added, ...changes.changed, ...changes.unchanged]);
}

export function noticesOf(before: readonly HeldResource[], change: Change): readonly string[] {
  const was = new Map(before.map(({ stored }) => [stored.key, stored.mode]));
  const weaker = change.held.filter(
    ({ stored }) => stored.mode === "audit" && was.get(stored.key) === "enforce",
  );
  const notices: string[] = [...(change.notices ?? []), ...rolloutNotices(before, change.held)];
  if (weaker.length > 0) {
    notices.push(
      `${counted(weaker.length, "resource that was", "resources that were")} enforced only ${weaker.length === 1 ? "audits" : "audit"} now; \`--mode enforce\` keeps ${weaker.length === 1 ? "it" : "them"} enforced`,
    );
  }
  const kept = change.changes.kept.length;
  if (kept > 0) {
    notices.push(
      `${counted(kept, "resource is", "resources are")} in force that these files do not hold; \`--prune\` removes them`,
    );
  }
  return notices;
}

/** What goes on dropping although a change only audits: files change the mode of what they hold, and of nothing else. */
export function stayEnforced({ mode, held }: Change): readonly string[] {
  if (mode !== "audit") return [];
  const live = held.filter(
    ({ stored, resource }) => stored.mode === "enforce" && isRolledOut(resource),
  );
  return live.map(({ stored }) => stored.key);
}

function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}

export function receiptsOf({ receipt, host }: InKernel): ReceiptSummary[] {
  const { revision, digest, driver, readAt, entries } = receipt;
  return [{ host, revision, digest, driver, readAt, entries, matches: true }];
}

/** A full disk in the API's words. */
export async function orDiskFull<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    throw new ApiFailure("store-full", `${error.message}: nothing was changed`, {
      help: "make room on the disk that holds the state directory; enforcement goes on meanwhile",
      cause: error,
    });
  }
}
