/** Where to start on this system, by what is in force, who was seen, and how things stand. */
import type { AssessAnswer, StatusAnswer } from "@bulkhead/api";
import { recogniseEnds, suggest } from "@bulkhead/learn";
import type { Edge } from "@bulkhead/model";
import { assess, policyFacts } from "@bulkhead/workbench/assess";
import type { Controller } from "../controller.ts";

/** Whoever scans or fails is known to nobody: edges count as for a suggestion. */
export function assessment(
  controller: Controller,
  edges: readonly Edge[],
  status: StatusAnswer,
): AssessAnswer {
  const { inventory, index, processesProblem } = controller.world();
  const { reading, held } = controller.governor.inForce;
  const { accepted } = suggest(recogniseEnds(edges, inventory), inventory);
  const [schedules, dependencies] = [controller.schedules(), controller.dependencies()];
  const found = assess({
    set: reading.set,
    index,
    now: controller.now(),
    edges: accepted,
    dependencies,
    unreadable: controller.unreadable(),
    ...policyFacts(held.map(({ resource }) => resource)),
    ...(held.length === 0
      ? {}
      : { versioned: held.every(({ stored }) => stored.origin !== undefined) }),
    live: {
      modes: status.modes,
      collectors: status.agents
        .filter(({ connected }) => connected)
        .map(({ host, collector }) => ({ host, alive: collector.alive })),
      recorded: edges.length,
      lost: status.lostEvents,
      unread: processesProblem === undefined ? [] : [processesProblem],
      drift: status.drift.setting,
      ...(status.probe === undefined
        ? {}
        : { probe: { at: status.probe.at, failed: status.probe.failed } }),
      readConfiguration: controller.readConfiguration(),
    },
  });
  return {
    ...found,
    averageBlast: { ...found.averageBlast },
    first: [...found.first],
    jewels: [...found.jewels],
    prerequisites: found.prerequisites.map((one) => ({ ...one, samples: [...one.samples] })),
    maturity: { ...found.maturity, rows: [...found.maturity.rows] },
    schedules: [...schedules],
    dependencies: [...dependencies],
  };
}
