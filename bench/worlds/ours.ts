/** What Bulkhead proposes, read back from its own text, compiled, and asked as the datapath would be. */
import { buildPolicySet, parseFiles, printResources } from "@bulkhead/dialects";
import { createDecider, indexInventory } from "@bulkhead/engine";
import { groupWorkloads, manifestsOf, suggest } from "@bulkhead/learn";
import type { Inventory, Workload } from "@bulkhead/model";
import { HOURS } from "./calendar.ts";
import { labelledOn, type Labelled } from "./labelled.ts";
import type { Method, Question } from "./method.ts";
import { timeOf } from "./traffic.ts";
import { inventoryOf, type World } from "./world.ts";

export const ours: Method = {
  name: "Bulkhead",
  learn(world, day) {
    const now = timeOf(day * HOURS);
    const labelled = labelledOn(world, day);
    const { inventory, histories } = labelled;
    const suggestion = suggest(
      histories.map(({ edge }) => edge),
      inventory,
      { history: histories },
    );
    const manifests = manifestsOf(suggestion);
    const text = printResources(manifests.map(({ manifest }) => ({ manifest, comments: [] })));
    const { resources } = parseFiles([{ name: "suggested.yaml", text }]);
    const { set } = buildPolicySet(resources, { now, strict: true, mode: "enforce" });
    const decide = createDecider(set, indexInventory(seat(world, day, labelled)), {
      now,
      view: "live",
    });
    const grouping = groupWorkloads(inventory.workloads);
    return {
      answer({ source, destination, protocol, port }: Question) {
        const { egress, ingress } = decide({
          source: source.address,
          destination: destination.address,
          protocol,
          port,
        });
        return { egress: egress.verdict === "allow", ingress: ingress.verdict === "allow" };
      },
      rules: suggestion.rules.length,
      groupOf: ({ workload, address }) =>
        grouping.groupOf.get(workload)?.id ?? `${workload}${address}`,
    };
  },
};

/** Everybody who is there from that day on, by addresses of their own: whoever is relabelled is there once for each. */
function seat(world: World, day: number, { labelsOf }: Labelled): Inventory {
  const phases = [...world.estate.phases.values()]
    .flat()
    .filter(({ span }) => span[1] > day * HOURS);
  const inventory = inventoryOf(phases.map((phase) => ({ ...phase, labels: labelsOf(phase) })));
  const seen = new Set<string>();
  const apart = (workload: Workload, at: number): Workload => {
    if (!seen.has(workload.id)) {
      seen.add(workload.id);
      return workload;
    }
    return { ...workload, id: `${workload.id}-again-${at}`, name: `${workload.name}-again-${at}` };
  };
  return { ...inventory, workloads: inventory.workloads.map(apart) };
}
