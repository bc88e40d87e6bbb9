/** The log of revisions as the API shows it, and whether its chain still holds. */
import {
  ApiFailure,
  type HistoryAnswer,
  type RevisionDetail,
  type RevisionView,
} from "@bulkhead/api";
import type { Revision, StateStore } from "@bulkhead/store";
import { modesOf } from "../policy/modes.ts";
import { canaryView } from "../policy/rollout.ts";

export async function historyOf(store: StateStore): Promise<HistoryAnswer> {
  const [revisions, chain, confirmed] = await Promise.all([
    store.revisions(),
    store.verifyChain(),
    confirmations(store),
  ]);
  return {
    revisions: revisions.map((revision) => viewOf(revision, confirmed)),
    current: revisions[0]?.revision ?? 0,
    intact: chain.intact,
    ...(chain.intact ? {} : { brokenAt: chain.brokenAt }),
  };
}

export async function revisionDetail(store: StateStore, number: number): Promise<RevisionDetail> {
  const revision = await store.revision(number);
  if (revision === null) {
    throw new ApiFailure("unknown-revision", `there is no revision ${number}`, {
      help: "`bulkhead history` lists them",
    });
  }
  const texts: RevisionDetail["texts"] = [];
  for (const { name, hash, origin } of revision.given) {
    const text = await store.fileText(hash);
    if (text !== null) texts.push({ name, text, ...(origin && { origin }) });
  }
  return { ...viewOf(revision, await confirmations(store)), texts };
}

type Outcome = RevisionView["confirmed"];

async function confirmations(store: StateStore): Promise<ReadonlyMap<number, Outcome>> {
  const [settled, pending] = await Promise.all([store.confirmations(), store.pendingConfirm()]);
  const all = new Map<number, Outcome>(settled);
  if (pending !== null) all.set(pending.revision, "pending");
  return all;
}

function viewOf(revision: Revision, confirmed: ReadonlyMap<number, Outcome>): RevisionView {
  const { added, changed, removed, unchanged, kept } = revision.changes;
  return {
    revision: revision.revision,
    time: revision.time,
    kind: revision.kind,
    author: revision.author,
    reason: revision.reason,
    mode: revision.mode,
    modes: modesOf(revision.resources),
    ...canaryView(revision.resources.map((stored) => ({ stored }))),
    forced: revision.forced,
    resources: {
      added: [...added],
      changed: [...changed],
      removed: [...removed],
      unchanged: [...unchanged],
      kept: [...kept],
    },
    files: revision.given.map(({ name }) => name),
    ...(revision.restores === undefined ? {} : { restores: revision.restores }),
    confirmed: confirmed.get(revision.revision) ?? "not-needed",
    prevHash: revision.prevHash,
    hash: revision.hash,
  };
}
