/** A data centre of virtual machines that nobody labelled, or only with what tells nothing: web, application, database. For tuning. */
import type { Labels } from "@bulkhead/model";
import type { Blueprint, RoleName } from "../blueprint.ts";
import { clock, createDraft, seldom, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";

const HOME = "dc1";

export function draftThreeTier(random: Random, size: number): Blueprint {
  const draft = createDraft("three-tier", random, 0.5);
  let count = 0;
  /** Numbered in order of purchase: the name says nothing of the role. */
  const called = (): string => `srv${String(1000 + ((++count * 7919) % 9000))}`;
  const bland = random.chance(0.5);
  const labels =
    () =>
    (copy: number): Labels =>
      bland ? { os: copy % 2 === 0 ? "rhel8" : "rhel9", site: copy % 3 === 0 ? "ams" : "fra" } : {};
  const vm = (name: string, application: string, copies: number, standbys = 0): RoleName =>
    draft.role(HOME, name, { kind: "vm", application, copies, standbys, labels: labels(), called });

  const directory = vm("directory", "office", 2, 1);
  const files = vm("files", "office", 1);
  const mail = vm("mail", "office", 1);
  const webs: RoleName[] = [];
  const applications = Math.max(3, Math.round(size * random.whole(20, 28)));
  const bus = vm("bus", "integration", 2, 1);
  for (let n = 0; n < applications; n++) {
    const own = `app${n}`;
    const [web, app, db] = [
      vm(`${own}-web`, own, random.whole(2, 6)),
      vm(`${own}-app`, own, random.whole(2, 6)),
      vm(`${own}-db`, own, 1, random.chance(0.7) ? 1 : 0),
    ];
    webs.push(web, app);
    const [http, rpc, sql] = [
      random.pick([8080, 8443, 7001]),
      random.pick([8009, 9443, 9080]),
      random.pick([1433, 1521, 5432]),
    ];
    draft.call(
      web,
      app,
      random.chance(0.5) ? http : rpc,
      steady(random.between(20, 200), "office"),
    );
    draft.call(app, db, sql, steady(random.between(20, 120), "office"), { fan: 1 });
    if (random.chance(0.5)) draft.call(app, bus, 5672, steady(15, "office"));
    if (random.chance(0.6)) draft.call(app, directory, 636, steady(10, "office"), { fan: 2 });
    if (random.chance(0.3)) draft.call(web, directory, 636, steady(10, "office"), { fan: 2 });
    if (random.chance(0.4))
      draft.call(app, files, 445, clock("nightly", random.whole(0, 5)), { fan: 1 });
    if (random.chance(0.4)) draft.call(app, mail, 25, seldom(random.whole(20, 200)), { fan: 1 });
    if (random.chance(0.5)) draft.call(db, files, 445, clock("month-end", 23), { fan: 1 });
    if (random.chance(0.3))
      draft.call(app, draft.outside(`api.partner${n}.example`, 2, 120), 443, steady(5, "office"));
    if (n > 0 && random.chance(0.3))
      draft.call(app, `${HOME}/app${n - 1}-app`, rpc, steady(10, "office"));
  }
  const ledger = vm("ledger", "finance", 2);
  draft.call(ledger, `${HOME}/app0-db`, 1433, clock("quarterly", 22), { fan: 1 });
  draft.call(ledger, files, 445, clock("monthly", 5), { fan: 1 });
  draft.call(ledger, directory, 636, steady(4, "office"), { fan: 2 });
  draft.call(`${HOME}/app1-app`, ledger, 8443, steady(12, "office"));
  draft.call(`${HOME}/app2-app`, `${HOME}/app1-app`, 9999, steady(20, "office"), {
    bornInWeek: random.whole(20, 40),
  });
  draft.stale(`${HOME}/app0-web`, files, 2049);
  const auditor = addSharedServices(draft, random, {
    kind: "vm",
    namespace: HOME,
    labels,
    called: () => called,
    administrators: true,
    deployEvery: 0,
  });
  return draft.finish({ drift: 0.05, footholds: webs, auditor });
}
