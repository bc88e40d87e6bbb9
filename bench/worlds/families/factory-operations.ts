/** What runs the factory's production, between the office and the floor: history, supervision, ways in, and a cluster at the edge. */
import { EVERY_COPY, type RoleName } from "../blueprint.ts";
import { clock, seldom, steady } from "../drafting.ts";
import { recorded, type Plant } from "./factory-assets.ts";
import type { Cell } from "./factory-cells.ts";
import type { Erp } from "./factory-office.ts";

const OPC_UA = 4840;

export interface Operations {
  readonly historian: RoleName;
  readonly production: RoleName;
  readonly terminal: RoleName;
  readonly engineer: RoleName;
  readonly programs: RoleName;
  readonly supervision: RoleName;
  readonly remote: RoleName;
}

/** Between the office and the floor: production, history, supervision, and the ways in. */
export function addOperations(plant: Plant, directory: RoleName, erp: Erp): Operations {
  const { draft, random, server, station, some } = plant;
  const historian = server("operations", "historian", 1, "process-data", {
    class: "database",
    standbys: 1,
  });
  const production = server("operations", "mes", random.whole(2, 3), "mes", {
    class: "application",
  });
  const productionDb = server("operations", "mes-db", 1, "mes", { class: "database", standbys: 1 });
  const supervision = server("operations", "scada", 1, "scada", {
    class: "application",
    standbys: 1,
  });
  const quality = server("operations", "quality", 1, "quality", { class: "application" });
  const programs = server("operations", "program-store", 1, "automation");
  const terminal = station("operations", "terminal", some(15, 28), {
    class: "client",
    ou: "plant",
  });
  const engineer = station("operations", "engineering-station", some(3, 6), {
    class: "client",
    ou: "automation",
  });
  // Hired with the people who carry them.
  const handheld = draft.role("operations", "handheld", {
    kind: "vm",
    copies: some(6, 12),
    elastic: some(3, 8),
    labels: () => ({}),
    called: (copy) => `ct${String(4100 + copy)}`,
  });
  const labeller = draft.role("operations", "label-printer", {
    kind: "vm",
    copies: some(4, 9),
    labels: (copy) =>
      recorded(random, `label-printer ${copy}`, { class: "printer", hall: `h${copy % 4}` }),
    called: (copy) => `zt${String(copy + 1).padStart(3, "0")}`,
  });
  draft.call(production, productionDb, 1433, steady(90), { fan: 1 });
  draft.call(production, erp.application, 3300, steady(12));
  draft.call(erp.application, production, 443, steady(8));
  draft.call(production, labeller, 9100, steady(5), { fan: EVERY_COPY });
  draft.call(production, historian, 5450, steady(10), { fan: 1 });
  draft.call(production, quality, 443, steady(6));
  draft.call(terminal, production, 443, steady(20));
  draft.call(handheld, production, 443, steady(25, "office"));
  draft.call(terminal, supervision, 443, steady(2), { fan: 1 });
  draft.call(terminal, erp.application, 3200, clock("yearly", 6, 12, 8));
  for (const client of [terminal, engineer, production, supervision, quality])
    draft.call(client, directory, 88, steady(2), { fan: 2 });
  draft.call(engineer, programs, 445, steady(3, "office"), { fan: 1 });
  draft.call(engineer, historian, 5450, steady(1, "office"), { fan: 1 });
  draft.call(engineer, supervision, 8043, seldom(random.whole(30, 150)));
  draft.call(quality, productionDb, 1433, clock("weekly", 4, 10), { fan: 1 });
  draft.call(quality, erp.application, 3300, clock("monthly", 6, 10));
  draft.call("erp/business-warehouse", historian, 5450, clock("monthly", 2, 20), { fan: 1 });
  const mirror = server("dmz", "historian-mirror", 1, "process-data", { class: "database" });
  const remote = server("dmz", "remote-access", 1, "remote-access", { class: "proxy" });
  draft.call(historian, mirror, 5450, steady(30), { fan: 1 });
  draft.call("office/workstation", mirror, 443, steady(0.2, "office"), { fan: 1 });
  draft.call(remote, draft.outside("rendezvous.remote.example", 2, 130), 443, steady(6));
  draft.call(remote, engineer, 3389, seldom(random.whole(20, 80)), { fan: EVERY_COPY });
  // A shift report that somebody wants on the intranet, written in the second half of the year.
  draft.call(quality, "office/file", 445, steady(6), { bornInWeek: random.whole(20, 40), fan: 1 });
  return { historian, production, terminal, engineer, programs, supervision, remote };
}

/** A cluster of three that somebody runs beside the line: deployed often, and wider while a model is being trained. */
export function addEdge({ draft, random }: Plant, historian: RoleName): void {
  const pod = (name: string, copies: number, elastic = 0): RoleName =>
    draft.role("edge", name, {
      kind: "pod",
      copies,
      elastic,
      deployEvery: random.whole(14, 35),
      labels: () => ({ app: name }),
    });
  const ingest = pod("ingest", 2);
  const scorer = pod("scorer", 3, 4);
  const boards = pod("boards", 2);
  const series = draft.role("edge", "series-db", {
    kind: "pod",
    copies: 1,
    standbys: 1,
    deployEvery: 120,
    labels: () => ({ app: "series-db" }),
  });
  draft.call(ingest, historian, 5450, steady(20), { fan: 1 });
  draft.call(ingest, series, 8086, steady(60), { fan: 1 });
  draft.call(scorer, series, 8086, steady(30), { fan: 1 });
  draft.call(boards, series, 8086, steady(10, "office"), { fan: 1 });
  draft.call("operations/terminal", boards, 3000, steady(1, "office"));
  draft.call(scorer, "operations/mes", 443, steady(4));
  const train = draft.role("edge", "train", {
    kind: "job",
    copies: 1,
    labels: () => ({ app: "train" }),
  });
  draft.call(train, series, 8086, clock("weekly", 1, 40, 3), { fan: 1 });
  draft.call(
    train,
    draft.outside("models.registry.example", 2, 100),
    443,
    clock("weekly", 1, 6, 3),
  );
}

/** What reaches into every cell, each by its protocol, and what the devices themselves ask for. */
export function connectCells(
  { draft, random }: Plant,
  cells: readonly Cell[],
  operations: Operations,
): void {
  const { historian, production, engineer, programs, supervision, remote } = operations;
  const device = (name: string): RoleName =>
    draft.role("plant-network", name, {
      kind: "vm",
      copies: 1,
      labels: () => ({}),
      called: () => name,
    });
  const time = device("gps-clock");
  const watch = device("network-watch");
  const events = device("event-collector");
  for (const { plc, plcPort, panel, gateway, field } of cells) {
    draft.call(historian, gateway, OPC_UA, steady(random.between(4, 20)), { fan: 1 });
    draft.call(supervision, gateway, OPC_UA, steady(10), { fan: 1 });
    if (random.chance(0.6)) draft.call(production, gateway, OPC_UA, steady(6), { fan: 1 });
    draft.call(engineer, plc, plcPort, seldom(random.whole(15, 90)), { fan: EVERY_COPY });
    draft.call(programs, plc, plcPort, clock("weekly", random.whole(0, 5), 4), { fan: EVERY_COPY });
    if (random.chance(0.4))
      draft.call(remote, panel, 5900, seldom(random.whole(4, 25)), { fan: EVERY_COPY });
    for (const one of [plc, panel, gateway]) draft.call(one, time, 123, steady(4), { fan: 1 });
    for (const one of [panel, gateway]) draft.call(one, events, 514, steady(6), { fan: 1 });
    for (const one of [plc, panel, gateway, ...field])
      draft.call(watch, one, 161, steady(12), { fan: EVERY_COPY });
  }
}
