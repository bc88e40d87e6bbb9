/**
 * Lets what an agent discovers into the world, as far as it is believed, and remembers over restarts what was believed
 * before. What is not believed is an alarm once.
 */
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import {
  admit,
  formatAnchors,
  keyOf,
  parseAnchors,
  type AdmitContext,
  type Anchors,
  type Unread,
} from "./anchors.ts";
import type { Surroundings } from "./world.ts";

export interface Gatekeeper {
  admit(found: Surroundings, context: Omit<AdmitContext, "now">): Surroundings;
  /** The last answer left something out. */
  readonly refuses: boolean;
  /** Links that nobody could look behind lately. */
  readonly unread: readonly Unread[];
}

export interface GatekeeperDeps {
  readonly now: () => number;
  readonly log: Logger;
  readonly stored: string | null;
  readonly save: (text: string) => Promise<void>;
  readonly alarm: (message: string) => void;
}

export function createGatekeeper({ now, log, stored, save, alarm }: GatekeeperDeps): Gatekeeper {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  let anchors: Anchors = parseAnchors(stored, boot);
  let saved = stored;
  let refused: ReadonlySet<string> = new Set();
  let unread: ReadonlyMap<string, Unread> = new Map();
  return {
    get refuses() {
      return refused.size > 0;
    },
    get unread() {
      return [...unread.values()];
    },
    admit(found, context) {
      const answer = admit(found, anchors, { ...context, now: now() });
      anchors = answer.anchors;
      const text = formatAnchors(anchors, boot);
      if (text !== saved) {
        saved = text;
        save(text).catch((error: unknown) => {
          // Tried again with the next discovery.
          saved = null;
          log.error({ err: error }, "what was believed about attachments could not be stored");
        });
      }
      for (const sentence of answer.refused) if (!refused.has(sentence)) alarm(sentence);
      refused = new Set(answer.refused);
      unread = new Map(
        found.unread.map((link) => {
          const key = keyOf(link);
          const name = anchors.get(key)?.name;
          const since = unread.get(key)?.since ?? now();
          return [
            key,
            { interface: link.interface, ...(name === undefined ? {} : { name }), since },
          ];
        }),
      );
      return answer.surroundings;
    },
  };
}
