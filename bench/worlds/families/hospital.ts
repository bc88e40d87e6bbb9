/**
 * A hospital: appliances, analysers and stations among servers, with labels that some departments gave and others did not. For
 * tuning; it was held out until another family took its place.
 */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type Blueprint, type RoleName } from "../blueprint.ts";
import { clock, createDraft, seldom, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";

const WARDS = [
  "surgery",
  "cardiology",
  "oncology",
  "maternity",
  "emergency",
  "paediatrics",
  "geriatrics",
  "neurology",
];
const MODALITIES = ["ct", "mri", "xray", "ultrasound", "angio", "pet"];
const ANALYSERS = ["haematology", "chemistry", "coagulation", "microbiology"];

export function draftHospital(random: Random, size: number): Blueprint {
  const draft = createDraft("hospital", random, 0.4);
  const machine = (
    namespace: string,
    name: string,
    copies: number,
    labels: Labels,
    standbys = 0,
  ): RoleName =>
    draft.role(namespace, name, {
      kind: "vm",
      copies,
      standbys,
      labels: () => labels,
      called: (copy) => `${name}-${String(copy).padStart(2, "0")}`,
    });
  const records = machine("clinical", "ehr-app", random.whole(3, 5), { service: "ehr-app" });
  const recordsDb = machine("clinical", "ehr-db", 1, { service: "ehr-db" }, 1);
  const engine = machine("clinical", "interface-engine", 1, { service: "interface-engine" }, 1);
  const pharmacy = machine("clinical", "pharmacy", 2, { service: "pharmacy" });
  const archive = machine("imaging", "pacs", 2, { type: "pacs" }, 1);
  const viewers = machine("imaging", "viewer", Math.round(size * random.whole(15, 25)), {
    type: "viewer",
  });
  const lab = machine("laboratory", "lis", 2, {});
  draft.call(records, recordsDb, 1521, steady(120, "office"), { fan: 1 });
  draft.call(engine, records, 8443, steady(60, "office"));
  draft.call(records, engine, 2575, steady(40, "office"), { fan: 1 });
  draft.call(records, pharmacy, 8443, steady(20, "office"));
  draft.call(viewers, archive, 11_112, steady(15, "office"));
  draft.call(archive, engine, 2575, steady(20, "office"), { fan: 1 });
  draft.call(lab, engine, 2575, steady(30, "office"), { fan: 1 });
  const footholds: RoleName[] = [viewers];
  for (const name of random.some(MODALITIES, random.whole(4, 6))) {
    const modality = machine(
      "imaging",
      name,
      random.whole(2, 6),
      random.chance(0.5) ? { type: "modality", model: name } : { type: name },
    );
    draft.call(modality, archive, 104, steady(random.between(1, 8), "office"), { fan: 1 });
    draft.call(modality, engine, 2576, steady(4, "office"), { fan: 1 });
    if (random.chance(0.6))
      draft.call(
        modality,
        draft.outside(`service.${name}-vendor.example`, 1),
        443,
        seldom(random.whole(6, 40)),
      );
    if (random.chance(0.5))
      draft.call(archive, modality, 104, clock("monthly", 6, 3), { fan: EVERY_COPY });
  }
  for (const name of ANALYSERS) {
    const analyser = machine("laboratory", name, random.whole(2, 4), {});
    draft.call(analyser, lab, random.pick([4000, 5100, 6001]), steady(random.between(5, 30)), {
      fan: 1,
    });
    footholds.push(analyser);
  }
  for (const ward of random.some(WARDS, random.whole(5, 8))) {
    const stations = machine("wards", `${ward}-station`, Math.round(size * random.whole(8, 20)), {
      dept: ward,
      kind: "station",
    });
    const pumps = machine("wards", `${ward}-pump`, Math.round(size * random.whole(6, 14)), {
      dept: ward,
      kind: "pump",
    });
    const printer = machine("wards", `${ward}-printer`, 1, { dept: ward, kind: "printer" });
    draft.call(stations, records, 443, steady(random.between(10, 40), "office"));
    draft.call(stations, printer, 9100, steady(2, "office"), { fan: 1 });
    if (random.chance(0.5)) draft.call(stations, archive, 443, seldom(random.whole(20, 200)));
    draft.call(pumps, pharmacy, 8883, steady(4), { fan: 1 });
    footholds.push(stations);
  }
  const building = machine("facility", "controller", random.whole(6, 12), {});
  const panel = machine("facility", "panel", 1, { role: "panel" });
  draft.call(panel, building, 47_808, steady(12), { fan: EVERY_COPY });
  draft.call(building, panel, 47_809, seldom(40), { fan: 1 });
  draft.call(
    engine,
    draft.outside("claims.insurer.example", 2, 150),
    443,
    clock("monthly", 2, 20, 2),
    { fan: 1 },
  );
  draft.call(
    recordsDb,
    draft.outside("registry.health.example", 1),
    443,
    clock("quarterly", 21, 3),
    { fan: 1 },
  );
  draft.call(pharmacy, draft.outside("orders.supplier.example", 2, 90), 443, clock("weekly", 5, 5));
  draft.call(pharmacy, lab, 8443, steady(5, "office"), { bornInWeek: random.whole(20, 40) });
  draft.stale(viewers, recordsDb, 1522);
  const auditor = addSharedServices(draft, random, {
    kind: "vm",
    namespace: "it",
    labels: (name) => () => ({ service: name }),
    called: (name) => (copy) => `${name}-${copy}`,
    administrators: true,
    deployEvery: 0,
  });
  return draft.finish({ drift: 0.08, footholds, auditor });
}
