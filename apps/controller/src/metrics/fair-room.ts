/**
 * So many connections have room at a time. When there are more, whoever has most loses the one that has been there longest: one
 * user, or one address, may take all the room, and a scraper of somebody else gets through all the same.
 */
import type { Socket } from "node:net";
import { NOBODY, ownersOf } from "./peer-owners.ts";

export interface FairRoom {
  enter(socket: Socket): void;
  close(): void;
}

/** So many wait to be told apart: the list of the machine's sockets is read once for all of them. */
const MOST_WAITING = 512;
const SETTLE_MS = 20;

export function createFairRoom(
  room: number,
  onProblem: (error: unknown) => void,
  owners: typeof ownersOf = ownersOf,
): FairRoom {
  /** With whose they are, as far as that was asked; oldest first. */
  const inside = new Map<Socket, string | undefined>();
  let timer: NodeJS.Timeout | undefined;
  let settling = false;

  function settleSoon(): void {
    if (inside.size <= room || settling || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      settling = true;
      void settle()
        .catch(onProblem)
        .finally(() => {
          settling = false;
          settleSoon();
        });
    }, SETTLE_MS);
  }

  async function settle(): Promise<void> {
    const unknown = [...inside].flatMap(([socket, owner]) => (owner === undefined ? [socket] : []));
    // Nobody is told apart where the list cannot be read: then the oldest goes.
    const found = await owners(unknown).catch((error: unknown) => {
      onProblem(error);
      return new Map<Socket, string>();
    });
    for (const [socket, owner] of found) if (inside.has(socket)) inside.set(socket, owner);
    while (inside.size > room) {
      const victim = oldestOfMost();
      inside.delete(victim);
      victim.destroy();
    }
  }

  function oldestOfMost(): Socket {
    const groups = Map.groupBy(inside.keys(), (socket) => inside.get(socket) ?? "");
    const many = (owner: string): number =>
      owner === NOBODY ? Number.POSITIVE_INFINITY : (groups.get(owner)?.length ?? 0);
    const most = [...groups.keys()].reduce((a, b) => (many(b) > many(a) ? b : a));
    return groups.get(most)![0]!;
  }

  return {
    enter(socket) {
      if (inside.size >= room + MOST_WAITING) {
        socket.destroy();
        return;
      }
      inside.set(socket, undefined);
      socket.once("close", () => inside.delete(socket));
      settleSoon();
    },
    close: () => clearTimeout(timer),
  };
}
