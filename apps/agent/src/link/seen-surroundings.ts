/**
 * What is around the agent as it saw it last, told to the controller whenever that is something else. What cannot be discovered for
 * a moment stays as it was.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { AgentMessage } from "@bulkhead/wire";
import type { AgentParts, Surroundings } from "./agent-parts.ts";

export interface SeenSurroundings {
  readonly latest: Surroundings;
  look(): Promise<void>;
  /** Without asking anybody what is attached: ports are opened, and units started, more often than links are laid. */
  lookAtUnits(): void;
  tell(): void;
  /** Whoever listens now has heard nothing yet. */
  forget(): void;
}

export interface SeenSurroundingsDeps {
  readonly parts: Pick<AgentParts, "look" | "units">;
  readonly log: Logger;
  /** False when nobody listens. */
  readonly send: (message: AgentMessage) => boolean;
  /** After each look, for those who must know who is there. */
  readonly seen: () => void;
}

/** Without surroundings there is nothing to confine: the first look is worth waiting for. */
export async function seeSurroundings(
  { parts, log, send, seen }: SeenSurroundingsDeps,
  againMs: number,
): Promise<SeenSurroundings> {
  let latest = await firstLook();
  let told = "";

  async function firstLook(): Promise<Surroundings> {
    for (;;) {
      try {
        return { ...(await parts.look()), ...parts.units.look() };
      } catch (error) {
        log.error({ err: error }, "the surroundings could not be discovered; trying again");
        await pause(againMs);
      }
    }
  }

  function tell(): void {
    const text = JSON.stringify(latest);
    if (text !== told && send({ kind: "discovered", ...latest })) told = text;
  }

  return {
    get latest() {
      return latest;
    },
    async look() {
      try {
        latest = { ...(await parts.look()), ...parts.units.look() };
      } catch (error) {
        log.warn({ err: error }, "the surroundings could not be discovered");
        return;
      }
      seen();
      tell();
    },
    lookAtUnits() {
      try {
        const units = parts.units.look();
        if (units.processes === latest.processes) return;
        latest = { ...latest, ...units };
      } catch (error) {
        log.warn({ err: error }, "units could not be looked at");
        return;
      }
      tell();
    },
    tell,
    forget() {
      told = "";
    },
  };
}
