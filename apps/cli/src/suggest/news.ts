/** "Three new edges since you last looked": what of an answer this person was not shown before, and when that counts as shown. */
import type { SuggestAnswer } from "@bulkhead/api";
import type { Context } from "../context.ts";
import { digestOf, memoryFile, recall, remember, type Memory } from "./memory.ts";

export interface News {
  readonly told: {
    /** When this person last looked; absent the first time. */
    readonly since?: number;
    /** Links that are new, oldest first; all of them the first time. */
    readonly links: readonly string[];
  };
  readonly file: string;
  readonly before: Memory | null;
  readonly shown: readonly string[];
}

/** Undefined where nothing can be remembered. */
export async function newsFor(context: Context, answer: SuggestAnswer): Promise<News | undefined> {
  const file = memoryFile(context);
  if (file === undefined) return undefined;
  const before = await recall(file);
  const links = (answer.links ?? []).toSorted(
    (a, b) => a.firstSeen - b.firstSeen || (a.text < b.text ? -1 : 1),
  );
  const fresh = links.filter(({ text }) => before?.links.has(digestOf(text)) !== true);
  return {
    told: {
      ...(before === null ? {} : { since: before.at }),
      links: fresh.map(({ text }) => text),
    },
    file,
    before,
    shown: links.map(({ text }) => digestOf(text)),
  };
}

/**
 * Remembers that it was shown: to somebody at a terminal, or because it was asked what is new. A script that prints JSON
 * takes nobody's news away.
 */
export async function lookedAt(
  context: Context,
  news: News | undefined,
  how: { readonly asked: boolean; readonly whole: boolean },
): Promise<void> {
  if (news === undefined || context.format === "json" || context.format === "yaml") return;
  const seen = context.stdout.isTTY === true || context.stderr.isTTY === true;
  if (!seen && !how.asked) return;
  const kept = how.whole ? [] : (news.before?.links ?? []);
  const memory = { at: context.now(), links: new Set([...kept, ...news.shown]) };
  try {
    await remember(news.file, memory);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.stderr.write(`What you were shown could not be remembered: ${reason}\n`);
  }
}
