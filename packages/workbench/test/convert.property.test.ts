/**
 * Every pair of dialects: what one says and the other can hold decides the same there, and again when it comes back. What cannot
 * be held is told; an approximation errs on the side that was asked for.
 */
import { buildPolicySet, parseFiles, TARGETS, type Target } from "@bulkhead/dialects";
import { decide, indexInventory } from "@bulkhead/engine";
import { ICMP, TCP, UDP, type FlowQuery, type Request } from "@bulkhead/model";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ENDS, SOURCES, WORLD } from "./convert-arbitrary.ts";

const text = (objects: readonly object[]): string =>
  objects.map((one) => JSON.stringify(one)).join("\n---\n");

const world = parseFiles([{ name: "world.yaml", text: text(WORLD) }]).resources;

const read = (policies: string, { prefixesHoldWorkloads = false }: Target) => {
  const { resources, diagnostics } = parseFiles([{ name: "policies.yaml", text: policies }]);
  const built = buildPolicySet([...world, ...resources], {
    now: 0,
    strict: false,
    mode: "enforce",
    target: "desk",
    metadataGuard: false,
    ipBlockMatchesWorkloads: prefixesHoldWorkloads,
  });
  const errors = [...diagnostics, ...built.diagnostics].filter(
    ({ severity }) => severity === "error",
  );
  return { ...built, errors };
};
const GRE = 47;
type Read = ReturnType<typeof read>;

const get: Request = { kind: "http", attributes: { method: "GET", path: "/", host: "a" } };
const put: Request = { kind: "http", attributes: { method: "PUT", path: "/", host: "a" } };
const flow: fc.Arbitrary<FlowQuery> = fc
  .record({
    source: fc.constantFrom(...ENDS),
    destination: fc.constantFrom(...ENDS),
    ask: fc.constantFrom<Pick<FlowQuery, "protocol" | "port" | "request">>(
      { protocol: TCP, port: 80 },
      { protocol: TCP, port: 81 },
      { protocol: TCP, port: 92 },
      { protocol: TCP, port: 80, request: get },
      { protocol: TCP, port: 80, request: put },
      { protocol: UDP, port: 53 },
      { protocol: ICMP, port: 8 * 256 },
      { protocol: GRE, port: 0 },
    ),
  })
  .map(({ source, destination, ask }) => ({ source, destination, ...ask }));
const flows = fc.array(flow, { minLength: 30, maxLength: 30, size: "max" });

const judge = ({ set, inventory }: Read) => {
  const index = indexInventory({ ...inventory, hostAddresses: ["192.0.2.254"] });
  return (query: FlowQuery): string => decide(set, index, query, { now: 0, view: "live" }).verdict;
};

const write = (target: Target, one: Read, approximation?: "over" | "under") =>
  target.write(one.set, {
    inventory: one.inventory,
    ipBlockMatchesWorkloads: target.prefixesHoldWorkloads ?? false,
    ...(approximation && { approximation }),
  });
const isRefused = ({ diagnostics }: ReturnType<typeof write>) =>
  diagnostics.some(({ severity }) => severity === "error");

/** More than was meant, or less, and never the other. */
const errs = (
  source: Read,
  target: Target,
  asked: readonly FlowQuery[],
  side: "over" | "under",
): void => {
  const out = write(target, source, side);
  if (isRefused(out)) return;
  const there = read(out.text, target);
  expect(there.errors).toEqual([]);
  const [before, after] = [judge(source), judge(there)];
  const [narrow, wide] = side === "over" ? [before, after] : [after, before];
  const lost = asked.filter((one) => narrow(one) === "allow" && wide(one) !== "allow");
  expect(lost).toEqual([]);
};

describe.each(Object.entries(SOURCES))("from %s", (name, documents) => {
  test.each(TARGETS.map((target) => [target.name, target] as const))("to %s", (_, target) => {
    const counts = { written: 0 };
    const home = TARGETS.find((one) => one.name === name)!;
    fc.assert(
      fc.property(documents, flows, (objects, asked) => {
        const source = read(text(objects), target);
        fc.pre(source.errors.length === 0);
        const out = write(target, source);
        if (isRefused(out)) {
          for (const side of ["over", "under"] as const) errs(source, target, asked, side);
          return;
        }
        expect(out.diagnostics.filter(({ severity }) => severity !== "info")).toEqual([]);
        const there = read(out.text, target);
        expect(there.errors).toEqual([]);
        const [before, after] = [judge(source), judge(there)];
        expect(asked.map(after)).toEqual(asked.map(before));
        counts.written += 1;
        const again = write(target, there);
        expect(isRefused(again)).toBe(false);
        expect(asked.map(judge(read(again.text, target)))).toEqual(asked.map(before));
        const returned = write(home, read(out.text, target));
        if (isRefused(returned)) return;
        const back = read(returned.text, target);
        expect(back.errors).toEqual([]);
        expect(asked.map(judge(back))).toEqual(asked.map(before));
      }),
      { numRuns: 6 },
    );
    if (name === target.name) expect(counts.written).toBeGreaterThan(0);
  });
});
