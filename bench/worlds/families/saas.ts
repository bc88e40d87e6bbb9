/** One stack for each of many tenants, in a namespace of its own, and a control plane that all share. For tuning. */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type Blueprint, type RoleName } from "../blueprint.ts";
import { clock, createDraft, seldom, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";

export function draftSaas(random: Random, size: number): Blueprint {
  const draft = createDraft("saas", random, 0.7);
  const labels = (name: string) => (): Labels => ({
    app: name,
    "app.kubernetes.io/managed-by": "helm",
  });
  const pod = (namespace: string, name: string, copies: number, deployEvery = 30): RoleName =>
    draft.role(namespace, name, { kind: "pod", copies, deployEvery, labels: labels(name) });
  const login = pod("control", "login", 3);
  const billing = pod("control", "billing", 2);
  const usage = pod("control", "usage", 2);
  const rollout = pod("control", "rollout", 1);
  const ledger = draft.role("control", "ledger-db", {
    kind: "pod",
    copies: 1,
    standbys: 1,
    deployEvery: 120,
    labels: labels("ledger-db"),
  });
  draft.call(billing, ledger, 5432, steady(20), { fan: 1 });
  draft.call(usage, ledger, 5432, steady(40), { fan: 1 });
  draft.call(billing, draft.outside("api.cards.example", 4, 60), 443, clock("monthly", 4, 60, 3));
  const close = draft.role("control", "close-quarter", {
    kind: "job",
    copies: 1,
    labels: labels("close-quarter"),
  });
  draft.call(close, ledger, 5432, clock("quarterly", 23), { fan: 1 });
  draft.call(close, billing, 8080, clock("quarterly", 23));
  const workers: RoleName[] = [];
  const tenants = Math.round(size * random.whole(26, 38));
  for (let n = 0; n < tenants; n++) {
    const own = `tenant-${n}`;
    const big = random.between(0.3, 3);
    const api = pod(own, "api", random.whole(2, 3));
    const worker = pod(own, "worker", random.whole(2, 3));
    const db = draft.role(own, "db", {
      kind: "pod",
      copies: 1,
      standbys: random.chance(0.5) ? 1 : 0,
      deployEvery: 120,
      labels: labels("db"),
    });
    const cache = pod(own, "cache", 1, 60);
    workers.push(worker, api);
    draft.call(api, db, 5432, steady(60 * big, "office"), { fan: 1 });
    draft.call(api, cache, 6379, steady(80 * big, "office"), { fan: 1 });
    draft.call(api, worker, 7000, steady(20 * big, "office"));
    draft.call(worker, db, 5432, steady(30 * big), { fan: 1 });
    draft.call(api, login, 8443, steady(20 * big, "office"));
    draft.call(api, usage, 8080, steady(10 * big));
    draft.call(rollout, api, 8081, seldom(random.whole(10, 60)), { fan: EVERY_COPY });
    if (random.chance(0.4))
      draft.call(
        worker,
        draft.outside(`hooks.${own}.example`, 2, 120),
        443,
        steady(4 * big, "office"),
      );
    if (random.chance(0.4)) {
      const dump = draft.role(own, "export", { kind: "job", copies: 1, labels: labels("export") });
      draft.call(
        dump,
        db,
        5432,
        clock(random.pick(["nightly", "weekly", "month-end"]), random.whole(0, 5)),
        { fan: 1 },
      );
    }
    draft.call(billing, api, 8080, clock("monthly", 4, 6), { fan: 1 });
  }
  draft.call("tenant-0/worker", "control/login", 8443, steady(10, "office"), {
    bornInWeek: random.whole(20, 40),
  });
  draft.stale("tenant-1/api", "tenant-1/cache", 11_211);
  const auditor = addSharedServices(draft, random, {
    kind: "pod",
    namespace: "platform",
    labels,
    administrators: false,
    deployEvery: 45,
  });
  return draft.finish({ drift: 0.05, footholds: workers, auditor });
}
