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

/**
 * So many wait to be told apart: the list of the machine's sockets is read once for all of them. Whoever comes faster than it is
 * read pushes out who waits longest, never who comes: that one has been answered, as a rule, since it need not wait for that.
 */
const MOST_WAITING = 2048;
const SETTLE_MS = 20;

export function createFairRoom(
  room: number,
  onProblem: (error: unknown) => void,
  owners: typeof ownersOf = ownersOf,
  mostWaiting = MOST_WAITING,
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
    const found = await owners(unknown).catch((error: unknown) => {
      onProblem(error);
      // Nobody is told apart where the list cannot be read: then the oldest goes.
      return new Map(unknown.map((socket) => [socket, ""]));
    });
    for (const [socket, owner] of found) if (inside.has(socket)) inside.set(socket, owner);
    // Who came meanwhile is told apart next time.
    const known = [...inside].filter(([, owner]) => owner !== undefined);
    const groups = Map.groupBy(known, ([, owner]) => owner);
    for (let left = known.length; left > room; left -= 1) {
      const [socket] = oldestOfMost(groups);
      inside.delete(socket);
      socket.destroy();
    }
  }

  function pushOut(): void {
    for (const [socket, owner] of inside) {
      if (owner !== undefined) continue;
      inside.delete(socket);
      socket.destroy();
      return;
    }
  }

  return {
    enter(socket) {
      if (inside.size >= room + mostWaiting) pushOut();
      inside.set(socket, undefined);
      socket.once("close", () => inside.delete(socket));
      settleSoon();
    },
    close: () => clearTimeout(timer),
  };
}

/** Taken out of its group. */
function oldestOfMost<T>(groups: Map<string | undefined, T[]>): T {
  const many = (owner: string | undefined): number =>
    owner === NOBODY ? Number.POSITIVE_INFINITY : (groups.get(owner)?.length ?? 0);
  const most = [...groups.keys()].reduce((a, b) => (many(b) > many(a) ? b : a));
  const own = groups.get(most)!;
  const oldest = own.shift()!;
  if (own.length === 0) groups.delete(most);
  return oldest;
}
