import { describe, expect, it } from "vitest";
import { FIRST_DAY, HOURS } from "../../worlds/calendar.ts";
import { ALL_FAMILIES } from "../../worlds/families.ts";
import { createRandom } from "../../worlds/random.ts";
import { createWorld, historiesUntil, inventoryAt } from "../../worlds/world.ts";

const DAYS = 16;
const small = (family: (typeof ALL_FAMILIES)[number], seed = 3) =>
  createWorld(family, { seed, days: DAYS, size: 0.15 });

describe.each(ALL_FAMILIES)("%s", (family) => {
  const world = small(family);

  it("is the same for the same seed, and another for another", () => {
    const textOf = (seed: number) => JSON.stringify(historiesUntil(small(family, seed), DAYS));
    expect(textOf(3)).toBe(JSON.stringify(historiesUntil(world, DAYS)));
    expect(textOf(4)).not.toBe(textOf(3));
  });

  it("has nobody call before or after both are there, nor before the call was written", () => {
    const wrong = world.tracks.filter(({ source, destination, days, bornAt }) => {
      const from = Math.max(source.span[0], destination.span[0], bornAt);
      const until = Math.min(source.span[1], destination.span[1]);
      return days.some(({ day, hours, connections }) => {
        const start = (day - FIRST_DAY) * HOURS;
        const bits = Array.from({ length: HOURS }, (_, hour) => hour).filter(
          (hour) => (hours & (1 << hour)) !== 0,
        );
        return (
          bits.length === 0 ||
          connections < 1 ||
          bits.some((hour) => start + hour < from || start + hour >= until)
        );
      });
    });
    expect(wrong).toEqual([]);
  });

  it("calls needed what the blueprint says, and nothing of the intruder's or the auditor's", () => {
    const wrong = world.tracks.filter(
      ({ purpose, need }) => (purpose === "needed") !== world.needs.has(need),
    );
    expect(wrong.filter(({ purpose }) => purpose === "needed" || purpose === "intruder")).toEqual(
      [],
    );
  });

  it("gives everybody one name and one address at a time", () => {
    const { workloads } = inventoryAt(world, 8 * HOURS);
    expect(new Set(workloads.map(({ id }) => id)).size).toBe(workloads.length);
    const phases = [...world.estate.phases.values()].flat();
    expect(new Set(phases.map(({ address }) => address)).size).toBe(phases.length);
  });
});

it("histories hold what was before the day, and sums of it", () => {
  const world = small("shop");
  const histories = historiesUntil(world, 9);
  expect(histories.length).toBeGreaterThan(50);
  for (const { edge, days } of histories) {
    expect(days.at(-1)?.day).toBeLessThan(FIRST_DAY + 9);
    expect(edge.connections).toBe(days.reduce((sum, day) => sum + day.connections, 0));
    expect(edge.firstSeen).toBeLessThan(edge.lastSeen);
    expect(edge.established + edge.failed).toBe(edge.connections);
  }
});

it("chance is even enough, and Poisson's mean and variance are one", () => {
  const random = createRandom(11);
  for (const mean of [0.5, 5, 80]) {
    const drawn = Array.from({ length: 4000 }, () => random.poisson(mean));
    const average = drawn.reduce((sum, one) => sum + one, 0) / drawn.length;
    const variance = drawn.reduce((sum, one) => sum + (one - average) ** 2, 0) / drawn.length;
    expect(average / mean).toBeCloseTo(1, 1);
    expect(Math.abs(variance / mean - 1)).toBeLessThan(0.15);
  }
});
