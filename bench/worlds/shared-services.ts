/** What nearly every estate has beside its applications: names, time, monitoring, logs, backups, administrators, an auditor. */
import type { Labels } from "@bulkhead/model";
import { EVERY_COPY, type RoleName } from "./blueprint.ts";
import { clock, seldom, steady, type Draft } from "./drafting.ts";
import type { Random } from "./random.ts";

export interface SharedServices {
  readonly kind: "pod" | "vm";
  readonly namespace: string;
  /** Labels by a service's name. */
  readonly labels: (name: string) => (copy: number) => Labels;
  readonly called?: (name: string) => (copy: number) => string;
  /** Does an administrator come by SSH? */
  readonly administrators: boolean;
  readonly deployEvery: number;
}

/** To be called last: everybody drafted so far is served. */
export function addSharedServices(draft: Draft, random: Random, options: SharedServices): RoleName {
  const { namespace, kind, deployEvery } = options;
  const clients = draft.everybody();
  const role = (name: string, copies: number, standbys = 0): RoleName =>
    draft.role(namespace, name, {
      kind,
      copies,
      standbys,
      deployEvery,
      labels: options.labels(name),
      ...(options.called === undefined ? {} : { called: options.called(name) }),
    });
  const names = role("dns", 2);
  const monitoring = role("prometheus", 2);
  const logs = role("loki", 2, 1);
  const backup = role("backup", 1);
  const auditor = role("scanner", 1);
  const upstream = draft.outside("resolver.upstream.example", 2);
  draft.call(names, upstream, 53, steady(40), { fan: 2 });
  draft.call(backup, draft.outside("vault.backup.example", 2), 443, clock("nightly", 3, 12, 2));
  for (const client of [...clients, monitoring, logs, backup]) {
    draft.call(client, names, 53, steady(20, "shop"), { fan: 2 });
    draft.call(client, logs, 3100, steady(12), { fan: 2 });
    if (client !== monitoring)
      draft.call(monitoring, client, 9100, steady(40), { fan: EVERY_COPY });
    if (random.chance(0.4))
      draft.call(backup, client, 8400, clock("nightly", random.whole(0, 4), 3), {
        fan: EVERY_COPY,
      });
  }
  if (options.administrators) {
    const bastion = role("bastion", 1);
    for (const client of clients) {
      if (random.chance(0.7))
        draft.call(bastion, client, 22, seldom(random.whole(8, 90)), { fan: EVERY_COPY });
    }
  }
  return auditor;
}
