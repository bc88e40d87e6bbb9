/** What the members of a role have in common, role by role: on which ports it is called and by whom, what it calls, how many of it do. */
import { by } from "../order.ts";
import { ANYBODY, type Conversations } from "./conversations.ts";

export interface Habit {
  readonly direction: "offers" | "uses";
  /** `protocol * 65536 + port` */
  readonly port: number;
  /** Index of a role, or the name of somebody outside. */
  readonly peer: number | string;
  /** How many of the role's members do. */
  readonly members: number;
  /** Half of them or more do, and not once or twice. */
  readonly usual: boolean;
  /** How many roles have the same habit towards the same peer: hubs have everybody. */
  readonly roles: number;
}

/** By role; within one, what the fewest others do, and most of its own, comes first. */
export function habitsOf(
  talk: Conversations,
  clusters: readonly (readonly number[])[],
): readonly (readonly Habit[])[] {
  const roleOf = new Int32Array(talk.members.length).fill(-1);
  for (const [role, members] of clusters.entries()) for (const one of members) roleOf[one] = role;
  const peerOf = (end: number): number | string =>
    end < talk.members.length
      ? (roleOf[end] ?? -1)
      : (talk.outsiders[end - talk.members.length] ?? ANYBODY);
  const own: Map<string, Counted>[] = clusters.map(() => new Map());
  const add = (
    member: number,
    weight: number,
    { direction, port, peer }: Pick<Habit, "direction" | "port" | "peer">,
  ): void => {
    const map = member < talk.members.length ? own[roleOf[member] ?? -1] : undefined;
    if (map === undefined) return;
    const key = `${direction} ${port} ${peer}`;
    let known = map.get(key);
    if (known === undefined) {
      known = { direction, port, peer, who: new Set(), often: new Set() };
      map.set(key, known);
    }
    known.who.add(member);
    if (weight >= 1) known.often.add(member);
  };
  for (const [at, from] of talk.source.entries()) {
    const to = talk.destination[at] ?? 0;
    const port = talk.ports[talk.port[at] ?? 0] ?? 0;
    const weight = talk.weight[at] ?? 0;
    add(from, weight, { direction: "uses", port, peer: peerOf(to) });
    add(to, weight, { direction: "offers", port, peer: peerOf(from) });
  }
  const shared = new Map<string, number>();
  for (const map of own) for (const key of map.keys()) shared.set(key, (shared.get(key) ?? 0) + 1);
  return own.map((map, role) =>
    [...map]
      .map(([key, { direction, port, peer, who, often }]): Habit => {
        const usual = 2 * often.size >= (clusters[role]?.length ?? 0);
        return { direction, port, peer, members: who.size, usual, roles: shared.get(key) ?? 1 };
      })
      .toSorted(
        by(
          (habit) => (habit.usual ? 0 : 1),
          (habit) => -habit.members,
          (habit) => habit.roles,
          (habit) => habit.direction,
          (habit) => habit.port,
          (habit) => String(habit.peer),
        ),
      ),
  );
}

interface Counted extends Pick<Habit, "direction" | "port" | "peer"> {
  readonly who: Set<number>;
  readonly often: Set<number>;
}
