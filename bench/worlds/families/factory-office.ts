/** The factory's office: ERP with dispatcher and gateway, clients, files, printers, mail, a proxy, and where things are designed. */
import { EVERY_COPY, type RoleName } from "../blueprint.ts";
import { clock, seldom, steady } from "../drafting.ts";
import type { Plant } from "./factory-assets.ts";

export interface Erp {
  readonly application: RoleName;
  readonly central: RoleName;
}

/** Dispatcher and gateway of each application server, one central instance with messages and locks, a database. */
export function addErp({ draft, random, server }: Plant, directory: RoleName): Erp {
  const application = server("erp", "erp-app", random.whole(3, 5), "erp", { class: "application" });
  const central = server("erp", "erp-central", 1, "erp", { class: "application", standbys: 1 });
  const db = server("erp", "erp-db", 1, "erp", { class: "database", standbys: 1 });
  const web = server("erp", "erp-web", 2, "erp-portal", { class: "proxy" });
  draft.call(application, central, 3201, steady(60, "office"), { fan: 1 });
  draft.call(application, db, 30_015, steady(120, "office"), { fan: 1 });
  draft.call(application, application, 3300, steady(6, "office"), { fan: EVERY_COPY });
  draft.call(application, directory, 636, steady(8, "office"), { fan: 2 });
  draft.call(web, application, 44_300, steady(50, "office"));
  draft.call(web, central, 8101, steady(12, "office"), { fan: 1 });
  draft.call(application, draft.outside("edi.customers.example", 3, 110), 443, steady(6, "office"));
  draft.call(application, draft.outside("bank.example", 1), 443, clock("nightly", 5, 6), {
    fan: 1,
  });
  draft.call(
    application,
    draft.outside("tax.authority.example", 2, 200),
    443,
    clock("quarterly", 20, 4),
  );
  draft.call(web, draft.outside("suppliers.portal.example", 2), 443, clock("weekly", 3, 8));
  const warehouse = server("erp", "business-warehouse", 1, "reporting", { class: "database" });
  draft.call(warehouse, application, 3300, clock("nightly", random.whole(0, 4), 30, 2));
  draft.call(warehouse, db, 30_015, clock("month-end", 22, 20), { fan: 1 });
  const payroll = server("erp", "payroll", 1, "payroll", { class: "application" });
  draft.call(payroll, application, 3300, clock("month-end", 19, 12));
  draft.call(payroll, draft.outside("insurance.example", 1), 443, clock("monthly", 8, 4), {
    fan: 1,
  });
  draft.call(payroll, application, 44_300, clock("yearly", 10, 10));
  return { application, central };
}

export interface Office {
  readonly workstation: RoleName;
  readonly files: RoleName;
}

export function addOffice(plant: Plant, directory: RoleName, erp: Erp): Office {
  const { draft, random, server, station, some } = plant;
  const files = server("office", "file", 2, "file-sharing");
  const print = server("office", "print", 1, "printing");
  const mail = server("office", "mail", 2, "mail", { class: "application" });
  const proxy = server("office", "proxy", 2, "internet", { class: "proxy" });
  const workstation = station(
    "office",
    "workstation",
    some(30, 45),
    { class: "client", ou: "office" },
    some(4, 10),
  );
  const accountant = station("office", "accountant", some(5, 9), {
    class: "client",
    ou: "finance",
  });
  const designer = station("engineering", "designer", some(6, 12), {
    class: "client",
    ou: "design",
  });
  // Bought by whoever needed one; the model is all that anybody knows of it.
  const printer = draft.role("office", "printer", {
    kind: "vm",
    copies: some(6, 12),
    labels: () => ({}),
    called: (copy) => `npi${random.fork(`printer ${copy}`).whole(0x100000, 0xffffff).toString(16)}`,
  });
  for (const client of [workstation, accountant, designer]) {
    draft.call(client, directory, 88, steady(4, "office"), { fan: 2 });
    draft.call(client, directory, 389, steady(3, "office"), { fan: 2 });
    draft.call(client, files, 445, steady(6, "office"), { fan: 2 });
    draft.call(client, print, 445, steady(1, "office"), { fan: 1 });
    draft.call(client, mail, 443, steady(10, "office"));
    draft.call(client, proxy, 3128, steady(60, "office"), { fan: 2 });
  }
  for (const client of [workstation, accountant]) {
    draft.call(client, erp.application, 3200, steady(5, "office"));
    draft.call(client, erp.central, 3600, steady(2, "office"), { fan: 1 });
  }
  draft.call(accountant, "erp/payroll", 443, seldom(random.whole(20, 60)), { fan: 1 });
  draft.call(accountant, "erp/business-warehouse", 443, clock("month-end", 14, 4, 3), { fan: 1 });
  draft.call(print, printer, 9100, steady(2, "office"), { fan: EVERY_COPY });
  draft.call(printer, mail, 25, seldom(random.whole(100, 400)));
  draft.call(printer, files, 445, steady(0.3, "office"), { fan: 1 });
  draft.call(mail, draft.outside("relay.mail.example", 3, 150), 25, steady(20, "office"));
  draft.call(mail, directory, 389, steady(12), { fan: 2 });
  for (const at of [0, 1, 2, 3])
    draft.call(
      proxy,
      draft.outside(`site${at}.web.example`, 3, random.pick([0, 45, 90])),
      443,
      steady(30, "office"),
    );
  for (const one of [files, print]) draft.call(one, directory, 88, steady(4), { fan: 2 });
  const vault = server("engineering", "plm", 2, "plm", { class: "application" });
  const vaultDb = server("engineering", "plm-db", 1, "plm", { class: "database" });
  const licences = server("engineering", "licence", 1, "cad-licences");
  draft.call(designer, vault, 443, steady(15, "office"));
  draft.call(designer, licences, 27_000, steady(4, "office"), { fan: 1 });
  draft.call(vault, vaultDb, 1521, steady(40, "office"), { fan: 1 });
  draft.call(vault, erp.application, 3300, clock("nightly", 22, 20));
  draft.call(licences, draft.outside("activation.cad.example", 1), 443, clock("yearly", 9, 2));
  return { workstation, files };
}
