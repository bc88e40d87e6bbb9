/** A farm of workers that swells by night: schedulers, stores, licences, and jobs at the end of months and quarters. For tuning. */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type Blueprint, type RoleName } from "../blueprint.ts";
import { clock, createDraft, seldom, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";

const QUEUES = ["pricing", "risk", "render", "genome", "backtest", "etl", "simulate", "transcode"];
const REPORTS = ["month-close", "margin-report", "capital-report", "archive"] as const;

export function draftBatchFarm(random: Random, size: number): Blueprint {
  const draft = createDraft("batch-farm", random, 0.9);
  const labels = (name: string) => (): Labels => ({ role: name });
  const vm = (namespace: string, name: string, copies: number, standbys = 0): RoleName =>
    draft.role(namespace, name, {
      kind: "vm",
      copies,
      standbys,
      labels: labels(name),
      called: (copy) => `${name}-${copy}`,
    });
  const scheduler = vm("farm", "scheduler", 1, 1);
  const results = vm("farm", "results-db", 1, 1);
  const objects = vm("farm", "object-store", 4);
  const licences = vm("farm", "licence", 2);
  const submit = vm("farm", "submit", 3);
  const reference = vm("data", "reference-db", 1, 1);
  const market = vm("data", "feed", 2);
  draft.call(submit, scheduler, 6444, steady(60, "office"), { fan: 1 });
  draft.call(submit, objects, 9000, steady(30, "office"));
  draft.call(scheduler, results, 5432, steady(80), { fan: 1 });
  draft.call(market, draft.outside("feed.exchange.example", 3, 90), 443, steady(40, "office"));
  draft.call(market, reference, 5432, steady(30, "office"), { fan: 1 });
  const queues = random.some(QUEUES, random.whole(4, 6)).map((name) => {
    const copies = Math.round(size * random.whole(25, 50));
    const queue = draft.role("farm", `worker-${name}`, {
      kind: "pod",
      copies,
      elastic: Math.round(size * random.whole(8, 20)),
      deployEvery: random.whole(30, 60),
      // Some of the first were started by hand, before there was a template.
      labels: (copy): Labels =>
        copy < copies && random.fork(`bare ${name} ${copy}`).chance(0.05)
          ? {}
          : { role: `worker-${name}` },
    });
    const night = random.whole(18, 20);
    // Each has work of its own, which is what makes it another role than the next.
    const inputs = vm("farm", `inputs-${name}`, 2);
    draft.call(queue, inputs, 9000, clock("nightly", night, 60, 4));
    draft.call(submit, inputs, 9000, steady(10, "office"));
    draft.call(queue, scheduler, 6445, clock("nightly", night, 60, 4), { fan: 1 });
    draft.call(queue, objects, 9000, clock("nightly", night, 40, 4));
    draft.call(scheduler, queue, 10_250, steady(6), { fan: EVERY_COPY });
    if (random.chance(0.6))
      draft.call(queue, licences, 27_000, clock("nightly", night, 10, 4), { fan: 1 });
    if (random.chance(0.6))
      draft.call(queue, reference, 5432, clock("nightly", night, 10, 4), { fan: 1 });
    if (random.chance(0.5))
      draft.call(queue, results, 5432, clock("nightly", night + 3, 10), { fan: 1 });
    if (random.chance(0.4))
      draft.call(queue, licences, 27_001, seldom(random.whole(10, 80)), { fan: 1 });
    return queue;
  });
  const when = ["month-end", "monthly", "quarterly", "yearly"] as const;
  for (const [at, name] of REPORTS.entries()) {
    const job = draft.role("reports", name, { kind: "job", copies: 1, labels: labels(name) });
    draft.call(job, results, 5432, clock(when[at] ?? "monthly", random.whole(1, 22)), { fan: 1 });
    draft.call(
      job,
      random.pick([objects, reference]),
      at % 2 === 0 ? 9000 : 5432,
      clock(when[at] ?? "monthly", random.whole(1, 22)),
    );
  }
  const desk = vm("reports", "dashboard", 2);
  draft.call(desk, results, 5432, steady(25, "office"), { fan: 1 });
  draft.call(desk, scheduler, 6446, steady(5, "office"), {
    bornInWeek: random.whole(20, 40),
    fan: 1,
  });
  draft.stale(submit, licences, 27_010);
  const auditor = addSharedServices(draft, random, {
    kind: "vm",
    namespace: "infra",
    labels,
    called: (name) => (copy) => `${name}-${copy}`,
    administrators: true,
    deployEvery: 0,
  });
  return draft.finish({ drift: 0.08, footholds: [...queues, submit], auditor });
}
