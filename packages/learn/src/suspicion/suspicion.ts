/**
 * Needs that look real, one by one, and yet do not fit: answered, with data, and only one copy of many ever did it; or it came
 * late, at hours when its role sleeps, like clockwork to somebody outside, or along with others of its kind. A slow intruder
 * looks like that, and so does whoever was elected leader: a person decides, and each is listed. What is done often and was
 * done from the beginning is nobody's intrusion. A picture of a few days is too short to say any of it.
 */
import { DAY_MS, type EdgeHistory, type SetAsideReason } from "@bulkhead/model";
import type { Refused } from "../judge.ts";
import { groupBy } from "../order.ts";
import type { RawNeed } from "../world.ts";
import { isBeacon } from "./beacon.ts";
import {
  daysBetween,
  habitsOf,
  historiesByEdge,
  pictureOf,
  type Habit,
  type Picture,
} from "./habits.ts";
import { actingHours, outside } from "./hours.ts";
import { kinOf } from "./kin.ts";

export interface SuspicionOptions {
  /** Days and hours of edges; without them beacons and hours are not judged. */
  readonly history?: readonly EdgeHistory[];
  /** What a person has accepted: `shop/web → shop/db 5432/tcp`, of groups or of single ends. */
  readonly accept?: readonly string[];
}

/** A picture shorter than that has no past to compare with. */
const SHORTEST_DAYS = 3;
/** So many copies make "only one of them" a reason by itself. */
const MANY_COPIES = 3;
/** After this part of the picture, what was never seen before is late. */
const LATE = 0.5;
/** Whoever came after this part of the picture has no past of its own. */
const KNOWN_BY = 0.25;
/** Seldom: on few days of those since it was first seen, or else in few windows. */
const SELDOM_DAYS = 2;
const SELDOM_SHARE = 0.2;
const SELDOM_WINDOWS = 10;
/** Of two copies it is always the same one on eight days. */
const CHANCE = 0.01;
/** So many new peers of one workload alone are a search, however slow. */
const FAN_OUT = 3;

interface Doubt {
  readonly reason: SetAsideReason;
  readonly detail: string;
}

export function doubtNeeds(
  needs: readonly RawNeed[],
  { history = [], accept = [] }: SuspicionOptions,
): { readonly needs: readonly RawNeed[]; readonly refused: readonly Refused[] } {
  const picture = pictureOf(needs);
  if (!(daysBetween(picture.start, picture.end) >= SHORTEST_DAYS)) return { needs, refused: [] };
  const habits = habitsOf(needs, historiesByEdge(history));
  const accepted = namesOfHabits(accept);
  const doubts = new Map<RawNeed, Doubt & { readonly habit: string }>();
  for (const [habit, doubt] of doubted(habits, picture)) {
    if (isNamed(habit, accepted)) continue;
    for (const need of habit.needs) doubts.set(need, { ...doubt, habit: habit.text });
  }
  return {
    needs: needs.filter((need) => !doubts.has(need)),
    refused: [...doubts].flatMap(([{ edges }, doubt]) => edges.map((edge) => ({ edge, ...doubt }))),
  };
}

function doubted(habits: readonly Habit[], picture: Picture): ReadonlyMap<Habit, Doubt> {
  const found = new Map<Habit, Doubt>();
  const kinsfolk = kinOf(habits);
  const bySource = groupBy(habits, ({ needs }) => needs[0]?.source.key ?? "");
  for (const own of bySource.values()) {
    const late = (habit: Habit): boolean => isBegunAfter(LATE, habit, picture);
    const searching = searchersOf(own.filter((habit) => late(habit) && isSeldom(habit, picture)));
    for (const habit of own) {
      const doubt = doubtOf(habit, { own, late: late(habit), searching, picture, kinsfolk });
      if (doubt !== undefined) found.set(habit, doubt);
    }
  }
  return found;
}

interface Around {
  /** All habits of the same group. */
  readonly own: readonly Habit[];
  readonly late: boolean;
  readonly searching: ReadonlyMap<string, number>;
  readonly picture: Picture;
  /** How many do the same as its group and never did it, of a group that is too small to tell. */
  readonly kinsfolk: (habit: Habit) => number;
}

function doubtOf(
  habit: Habit,
  { own, late, searching, picture, kinsfolk }: Around,
): Doubt | undefined {
  const { alone, doers } = habit;
  const doer = [...doers].at(-1);
  if (doer === undefined || !alone) return undefined;
  const kin = habit.copies < MANY_COPIES ? kinsfolk(habit) : 0;
  const copies = habit.copies + kin;
  const name = habit.edges[0]?.source.name ?? doer;
  const seldom = isSeldom(habit, picture);
  const others = copies === 2 ? "the other" : `none of the ${copies - 1} others`;
  const like = kin === 0 ? "of its role" : "that do as it does";
  const only = copies > 1 ? `, and ${others} ${like} ${copies === 2 ? "never" : "ever"} did` : "";
  const since = `${Math.floor(daysBetween(picture.start, habit.firstSeen))} days after watching began`;
  const times = seldom ? "a few times" : "often";
  const search = Math.max(...[...doers].map((one) => searching.get(one) ?? 0));
  if (late && seldom && search >= FAN_OUT) {
    return {
      reason: "fan-out",
      detail: `\`${name}\` turned to ${search} peers that it had never called before, one by one${only}`,
    };
  }
  const hours = outside(habit, actingHours(own.filter((one) => one !== habit)));
  if (hours !== undefined && seldom && (late || copies > 1)) {
    return {
      reason: "off-hours",
      detail: `\`${name}\` did it only ${hours}, when its role is else never seen to act${only}`,
    };
  }
  if (isBeacon(habit) && (copies > 1 || late)) {
    return {
      reason: "beacon",
      detail: `\`${name}\` calls out as regularly as a clock, with next to nothing to say${only}`,
    };
  }
  const first: Doubt = {
    reason: "first-ever",
    detail: `\`${name}\` did it first ${since}, ${times}${only}`,
  };
  // However often: what is young had few days to be seldom on.
  if (late && copies > 1) return first;
  if (seldom && (copies >= MANY_COPIES || isByNoChance(copies, habit))) {
    return { reason: "lone", detail: `\`${name}\` did it ${times}${only}` };
  }
  // A leader leads from the beginning, or takes over from another.
  if (isBegunAfter(KNOWN_BY, habit, picture) && isByNoChance(copies, habit)) return first;
  return undefined;
}

/** On so many days always the same one of several: by chance that would be seldom, if each of them were as likely to do it. */
function isByNoChance(copies: number, { days }: Habit): boolean {
  return copies > 1 && copies ** (1 - days.length) <= CHANCE;
}

/** First seen after that part of the picture, when its role, and whoever does it, had long been known. */
function isBegunAfter(
  part: number,
  { firstSeen, knownSince }: Habit,
  { start, end }: Picture,
): boolean {
  return knownSince <= start + KNOWN_BY * (end - start) && firstSeen > start + part * (end - start);
}

function isSeldom({ days, firstSeen, windows }: Habit, { end }: Picture): boolean {
  if (days.length === 0) return windows <= SELDOM_WINDOWS;
  const possible = Math.max(1, Math.ceil((end - firstSeen) / DAY_MS));
  return days.length <= Math.max(SELDOM_DAYS, SELDOM_SHARE * possible);
}

/** How many new peers each has that nobody else of its role has. */
function searchersOf(late: readonly Habit[]): ReadonlyMap<string, number> {
  const alone = late.flatMap((habit) => (habit.alone ? [...habit.doers] : []));
  return new Map([...groupBy(alone, (doer) => doer)].map(([doer, own]) => [doer, own.length]));
}

/** An arrow is an arrow. */
const plain = (text: string): string => text.replaceAll("->", "→").replaceAll(/\s+/g, " ").trim();

/** What a person named, of groups or of single ends. */
export const namesOfHabits = (texts: readonly string[]): ReadonlySet<string> =>
  new Set(texts.map(plain));

/** Is it among them, as a whole or by one of its edges? */
export function isNamed(
  { text, edges }: Pick<Habit, "text" | "edges">,
  names: ReadonlySet<string>,
): boolean {
  if (names.size === 0) return false;
  const port = text.slice(text.lastIndexOf(" "));
  return (
    names.has(plain(text)) ||
    edges.some(({ source, destination }) => {
      const to = destination.name === "world" ? destination.address : destination.name;
      return names.has(plain(`${source.name} → ${to}${port}`));
    })
  );
}
