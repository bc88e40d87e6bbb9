/**
 * Names in DNS behind which new addresses keep coming. An edge to such a name is known, and yet a policy that holds the
 * addresses seen behind it denies the next one: each address is counted here as an edge of its own.
 */
import { DAY_MS, type Awaited, type Cidr, type EdgeHistory } from "@bulkhead/model";
import { by } from "../order.ts";
import { within } from "../outside.ts";
import { MOST_FLOWS, QUIET_DAYS } from "./limits.ts";
import { sightOf, type Sight } from "./sight.ts";
import type { Named, Subject } from "./subjects.ts";
import { estimate, tallyOf, togetherOf } from "./unseen.ts";

export interface ChangingInput extends Pick<Subject, "named" | "edges"> {
  /** That were looked at, since the epoch. */
  readonly days: readonly number[];
  readonly sampling: number;
  readonly ranges: readonly Cidr[];
  readonly now: number;
}

/** What comes once in a gap shows in three of them, 19 times of 20: after three without one it comes less often, or no more. */
const QUIET_GAPS = 3;

/** Those that matter, by name and port: new ones come lately for how often they came, or many are still unseen. */
export function changingNames(input: ChangingInput): readonly Awaited[] {
  const changing = [...input.named.values()]
    .flatMap((named) => changesOf(named, input))
    .toSorted(
      by(
        ({ named }) => named.name,
        ({ named }) => named.port,
        ({ named }) => named.protocol,
      ),
    );
  if (changing.length === 0) return [];
  const all = unseenFlows(changing, input);
  return changing.flatMap((one): readonly Awaited[] => {
    const matters = !one.quiet || (all > MOST_FLOWS && one.rare);
    if (!matters) return [];
    const { name, protocol, port } = one.named;
    const { addresses, later, days, newest } = one;
    const flows = unseenFlows([one], input);
    return [{ kind: "addresses", name, protocol, port, addresses, later, days, newest, flows }];
  });
}

interface Changing {
  readonly named: Named;
  readonly addresses: number;
  readonly later: number;
  readonly days: number;
  readonly newest: number;
  readonly quiet: boolean;
  /** One of its addresses was seen on one day alone. */
  readonly rare: boolean;
}

/** None where all its addresses came on its first day, or are within what a person said. */
function changesOf(
  named: Named,
  { days, sampling, ranges, now }: ChangingInput,
): readonly Changing[] {
  const open = named.histories.filter(
    ({ edge }) => !ranges.some((range) => within(edge.destination.address, range)),
  );
  const sights = [...byAddress(open).values()].flatMap((own) => sightOf(own, now));
  const arrivals = sights.map(({ firstDay }) => firstDay).toSorted((a, b) => a - b);
  const [first] = arrivals;
  const newest = arrivals.at(-1);
  if (first === undefined || newest === undefined || newest === first) return [];
  const between = (from: number, to: number): number =>
    days.filter((day) => day > from && day <= to).length;
  const gap = arrivals.reduce(
    (most, day, index) => Math.max(most, between(arrivals[index - 1] ?? day, day)),
    0,
  );
  const needed = Math.max(QUIET_DAYS * sampling, QUIET_GAPS * gap);
  return [
    {
      named,
      addresses: sights.length,
      later: arrivals.filter((day) => day > first).length,
      days: between(first - 1, Infinity),
      newest: newest * DAY_MS,
      quiet: between(newest, Infinity) >= needed,
      rare: sights.some((sight) => sight.days === 1),
    },
  ];
}

/** The share of connections of edges never seen, if each address behind these names is an edge, less what it is if none is. */
function unseenFlows(
  changing: readonly Changing[],
  { edges, days, sampling, now }: ChangingInput,
): number {
  const apart = new Set(changing.flatMap(({ named }) => named.histories));
  const flows = (sights: readonly Sight[]): number =>
    estimate(
      tallyOf(
        sights.map((sight) => sight.days),
        days.length,
        {
          connections: sights.map((sight) => sight.connections),
          together: togetherOf(sights.map(({ firstDay }) => firstDay)),
          sampling,
        },
      ),
    ).flows;
  const groups = [...edges.values()];
  const split = groups.flatMap((own) => {
    const whole = own.filter((history) => !apart.has(history));
    const single = own.filter((history) => apart.has(history));
    return [whole, ...byAddress(single).values()].flatMap((one) => sightOf(one, now));
  });
  return Math.max(0, flows(split) - flows(groups.flatMap((own) => sightOf(own, now))));
}

const byAddress = (histories: readonly EdgeHistory[]): ReadonlyMap<string, EdgeHistory[]> =>
  Map.groupBy(histories, ({ edge }) => edge.destination.address);
