/**
 * HELD OUT. An industrial company: cells of a plant with controllers and panels, the systems that run production, an office with
 * directory, files, printers and ERP, and a small cluster at the edge. Its asset database has gaps and typing errors, and much of
 * the plant is in no database. Nothing may be tuned on this family: no threshold, no rule, no default was chosen by looking at what
 * comes out here; its figures are printed in the last table and nowhere else.
 */
import { EVERY_COPY, type Blueprint, type RoleName } from "../blueprint.ts";
import { clock, createDraft, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";
import { plantOf, recorded, type Plant } from "./factory-assets.ts";
import { addCells } from "./factory-cells.ts";
import { addErp, addOffice } from "./factory-office.ts";
import { addEdge, addOperations, connectCells } from "./factory-operations.ts";

export function draftFactory(random: Random, size: number): Blueprint {
  const plant = plantOf(createDraft("factory", random, 0.45), random, size);
  const { draft } = plant;
  const directory = plant.server("office", "dc", 2, "directory", { class: "domain-controller" });
  draft.call(directory, directory, 3268, steady(20), { fan: EVERY_COPY });
  const erp = addErp(plant, directory);
  const office = addOffice(plant, directory, erp);
  const operations = addOperations(plant, directory, erp);
  addEdge(plant, operations.historian);
  addManagement(plant, directory);
  draft.stale(office.workstation, office.files, 139);
  const auditor = addSharedServices(draft, random, {
    kind: "vm",
    namespace: "it",
    labels: (name) => (copy) => recorded(random, `it ${name} ${copy}`, { service: name }),
    called: (name) => (copy) => `it-${name}${copy + 1}`,
    administrators: true,
    deployEvery: 0,
  });
  // The floor comes after what serves the servers: no agent and no resolver is known there.
  const cells = addCells(draft, random, size);
  connectCells(plant, cells, operations);
  return draft.finish({
    drift: 0.06,
    footholds: [
      office.workstation,
      operations.terminal,
      operations.engineer,
      ...cells.map(({ panel }) => panel),
    ],
    auditor,
  });
}

/** Protection and patches: everybody with Windows has both, the plant through a relay. */
function addManagement({ draft, server }: Plant, directory: RoleName): void {
  const windows = draft
    .everybody("office/printer", "operations/handheld", "operations/label-printer")
    .filter((name) => !name.startsWith("edge/"));
  const guard = server("management", "endpoint-guard", 2, "endpoint-protection");
  const patches = server("management", "patches", 1, "patching");
  const relay = server("dmz", "patch-relay", 1, "patching", { class: "proxy" });
  for (const client of windows) {
    const plant = client.startsWith("operations/") || client.startsWith("dmz/");
    draft.call(client, guard, 8443, steady(4), { fan: 2 });
    draft.call(
      client,
      plant ? relay : patches,
      8530,
      clock(plant ? "monthly" : "weekly", 3, 6, 2),
      { fan: 1 },
    );
  }
  draft.call(relay, patches, 8530, clock("nightly", 1, 10), { fan: 1 });
  draft.call(patches, directory, 389, steady(2), { fan: 2 });
  draft.call(guard, draft.outside("cloud.guard.example", 4, 60), 443, steady(20));
  draft.call(
    patches,
    draft.outside("updates.vendor.example", 5, 75),
    443,
    clock("nightly", 0, 30, 2),
  );
}
