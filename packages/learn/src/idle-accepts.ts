/** What a person accepted and no rule stands on: a slip of the pen, or something that is set aside for another reason than doubt. */
import {
  formatPort,
  type Edge,
  type FlowEnd,
  type IdleAccept,
  type SetAside,
  type SuggestedLink,
} from "@bulkhead/model";
import type { Grouping } from "./groups.ts";
import { namesOfHabits } from "./suspicion/suspicion.ts";

export function idleAccepts(
  accept: readonly string[],
  grouping: Grouping,
  links: readonly SuggestedLink[],
  accepted: readonly Edge[],
  setAside: readonly SetAside[],
): readonly IdleAccept[] {
  if (accept.length === 0) return [];
  const named = (edge: Edge): readonly string[] => namesOf(edge, grouping);
  const standing = namesOfHabits([...links.map(({ text }) => text), ...accepted.flatMap(named)]);
  const refused = new Map<string, SetAside>();
  for (const item of setAside) {
    const names = item.habit === undefined ? [] : [item.habit];
    for (const name of namesOfHabits([...names, ...named(item.edge)])) refused.set(name, item);
  }
  return accept.flatMap((text): readonly IdleAccept[] => {
    const [name = ""] = namesOfHabits([text]);
    if (standing.has(name)) return [];
    const reason = refused.get(name)?.reason;
    return [{ text, ...(reason === undefined ? {} : { reason }) }];
  });
}

/** In all the words that a person may have for it: of ends and of their roles, by name and by address. */
function namesOf({ source, destination, protocol, port }: Edge, grouping: Grouping) {
  const words = ({ workload, name, address, names = [] }: FlowEnd): readonly string[] => {
    const group = workload === undefined ? undefined : grouping.groupOf.get(workload);
    const role = group === undefined ? [] : [`${group.namespace}/${group.name}`];
    return [name, ...role, ...(workload === undefined ? [address, ...names] : [])];
  };
  return words(source).flatMap((from) =>
    words(destination).map((to) => `${from} → ${to} ${formatPort(protocol, port)}`),
  );
}
