/** A shop of microservices on Kubernetes: well labelled, deployed every other week, busy in the evening. For tuning. */
import type { Labels } from "@bulkhead/model";
import type { Blueprint, RoleName } from "../blueprint.ts";
import { clock, createDraft, seldom, steady } from "../drafting.ts";
import type { Random } from "../random.ts";
import { addSharedServices } from "../shared-services.ts";

const SERVICES = [
  "cart",
  "catalog",
  "checkout",
  "payments",
  "search",
  "recommend",
  "account",
  "orders",
  "shipping",
  "pricing",
  "reviews",
  "stock",
  "returns",
  "loyalty",
  "notify",
  "media",
  "fraud",
  "tax",
  "wishlist",
  "coupons",
  "gifts",
  "support",
  "chat",
  "geo",
  "session",
  "consent",
  "feeds",
  "ranking",
  "audit",
  "vouchers",
];

export function draftShop(random: Random, size: number): Blueprint {
  const draft = createDraft("shop", random, 0.8);
  const label = random.pick(["app", "app.kubernetes.io/name"]);
  const labels = (name: string) => (): Labels => ({ [label]: name, version: "v1" });
  const pod = (namespace: string, name: string, copies: number, elastic = 0): RoleName =>
    draft.role(namespace, name, {
      kind: "pod",
      copies,
      elastic,
      deployEvery: random.whole(14, 28),
      labels: labels(name),
    });
  const store = (namespace: string, name: string, standbys: number): RoleName =>
    draft.role(namespace, name, {
      kind: "pod",
      copies: 1,
      standbys,
      deployEvery: 90,
      labels: labels(name),
    });

  const web = pod("shop", "storefront", random.whole(8, 12), 6);
  const gateway = pod("shop", "gateway", random.whole(5, 8));
  const chosen = random.some(SERVICES, Math.round(size * random.whole(18, 26)));
  const services = chosen.map((name) =>
    pod("shop", name, random.whole(3, 7), random.chance(0.3) ? 3 : 0),
  );
  const cache = store("data", "redis", 1);
  const queue = draft.role("data", "kafka", {
    kind: "pod",
    copies: 3,
    deployEvery: 90,
    labels: labels("kafka"),
  });
  const lake = store("data", "warehouse", 0);

  draft.call(web, gateway, 8080, steady(300, "shop"));
  for (const [at, service] of services.entries()) {
    if (random.chance(0.7))
      draft.call(gateway, service, 8080, steady(random.between(20, 200), "shop"));
    else draft.call(web, service, 8080, steady(random.between(20, 120), "shop"));
    for (const other of random.some(services.slice(at + 1), random.whole(0, 3))) {
      draft.call(service, other, 8080, steady(random.between(2, 60), "shop"));
    }
    if (random.chance(0.3))
      draft.call(
        service,
        random.pick(services.filter((one) => one !== service)),
        8443,
        seldom(random.whole(6, 60)),
      );
    if (random.chance(0.6)) {
      const own = store("data", `${chosen[at]}-db`, 1);
      draft.call(service, own, 5432, steady(random.between(10, 80), "shop"), { fan: 1 });
    }
    if (random.chance(0.5)) draft.call(service, cache, 6379, steady(60, "shop"), { fan: 1 });
    if (random.chance(0.5)) draft.call(service, queue, 9092, steady(20, "shop"));
  }
  const cards = draft.outside("api.cards.example", 4, 60);
  draft.call(random.pick(services), cards, 443, steady(30, "shop"));
  draft.call(
    random.pick(services),
    draft.outside("mail.sender.example", 2, 120),
    587,
    steady(10, "shop"),
  );
  const job = (name: string): RoleName =>
    draft.role("shop", name, { kind: "job", copies: 1, labels: labels(name) });
  const nightly = job("reindex");
  draft.call(nightly, random.pick(services), 8080, clock("nightly", 2));
  draft.call(nightly, lake, 5432, clock("nightly", 2), { fan: 1 });
  const monthly = job("invoices");
  draft.call(monthly, lake, 5432, clock("month-end", 22), { fan: 1 });
  const quarterly = job("tax-report");
  draft.call(quarterly, lake, 5432, clock("quarterly", 23), { fan: 1 });
  draft.call(quarterly, draft.outside("filing.tax.example", 1), 443, clock("quarterly", 23, 4));
  draft.call(random.pick(services), random.pick(services.slice(0, 3)), 9000, steady(20, "shop"), {
    bornInWeek: random.whole(20, 40),
  });
  draft.stale(random.pick(services), cache, 6380);
  const auditor = addSharedServices(draft, random, {
    kind: "pod",
    namespace: "platform",
    labels,
    administrators: false,
    deployEvery: 45,
  });
  return draft.finish({ drift: 0.12, footholds: services, auditor });
}
