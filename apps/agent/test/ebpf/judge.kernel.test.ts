/**
 * The judgement of the kernel programs against the reference: random policies one after the other in the very maps that packets
 * are judged by, each change asked about while it is half written. At every moment the answer is the old policy's or, from its epoch
 * on, the new one's.
 */
import { createRegistry, planTables, release, tablesOf } from "@bulkhead/datapath";
import type { EbpfTables } from "@bulkhead/datapath";
import { arbitraryHostPolicy, withoutProcesses } from "@bulkhead/datapath/testing";
import { lookup } from "@bulkhead/engine";
import type { LookedUp } from "@bulkhead/engine";
import type { HostPolicy, RowDecision } from "@bulkhead/model";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shippedObject } from "../../src/bpf/index.ts";
import { openJudge } from "./judging.ts";
import type { Answer, Judge, Question } from "./judging.ts";
import { createRandom, questionsAbout } from "./questions.ts";

let judge: Judge;
beforeAll(() => {
  judge = openJudge(shippedObject("judge"));
});
afterAll(() => judge.close());

const NOTHING: LookedUp = { verdict: "allow" };

const isDenial = (one: RowDecision | undefined): boolean =>
  one !== undefined && one.verdict !== "allow";

/** An exemption is asked about at the end of a denial only: what is exempt and allowed besides is told as allowed. */
const agrees = (said: Answer, wanted: LookedUp): boolean =>
  said.verdict === wanted.verdict &&
  (["egress", "ingress"] as const).every((way) => {
    const [got, want] = [said[way], wanted[way]];
    if (want === undefined) return !isDenial(got);
    return got?.verdict === want.verdict && got.cookie === want.cookie;
  });

const auditAgrees = (said: Answer, policy: HostPolicy, question: Question): boolean => {
  const { egress, ingress } = policy.shadow.subjects;
  const judges = (list: typeof egress, address: string): boolean =>
    list.some(([subject]) => subject === address);
  return (
    (said.auditEgress !== undefined) === judges(egress, question.source) &&
    (said.auditIngress !== undefined) === judges(ingress, question.destination)
  );
};

const judgesAnybody = ({ live }: HostPolicy): boolean =>
  live.subjects.egress.length + live.subjects.ingress.length > 0;

interface Hits {
  asked: number;
  denied: number;
  byRow: number;
}

const compare = (
  policy: HostPolicy | null,
  questions: readonly Question[],
  registry: ReturnType<typeof createRegistry>,
  hits: Hits,
): void => {
  const answers = judge.ask(questions, registry);
  questions.forEach((question, index) => {
    const said = answers[index] as Answer;
    const wanted = policy === null ? NOTHING : lookup(policy, "live", question, NOW);
    if (!agrees(said, wanted) || (policy !== null && !auditAgrees(said, policy, question)))
      expect({ question, said }).toEqual({ question, said: wanted });
    if (policy === null || !judgesAnybody(policy)) return;
    hits.asked += 1;
    if (said.verdict !== "allow") hits.denied += 1;
    if (said.egress !== undefined || said.ingress !== undefined) hits.byRow += 1;
  });
};

const NOW = Date.now();

test("says of every flow what the reference says, before, while and after policies change", () => {
  const hits: Hits = { asked: 0, denied: 0, byRow: 0 };
  let epoch = 0;
  const policies = fc.array(arbitraryHostPolicy(NOW).map(withoutProcesses), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(policies, fc.nat(), (list, seed) => {
      const random = createRandom(seed);
      const registry = createRegistry();
      let former: EbpfTables | null = null;
      let before: HostPolicy | null = null;
      const go = (after: HostPolicy | null): void => {
        const next: EbpfTables | null = after === null ? null : tablesOf(after, registry, former);
        const clocks = judge.clocks();
        const plan = planTables(former, next, epoch, registry, clocks);
        const questions = [before, after].flatMap((policy) =>
          policy === null ? [] : questionsAbout(policy, 150, random),
        );
        const third = Math.ceil(plan.prepare.length / 3);
        plan.prepare.forEach((change, index) => {
          judge.write(change);
          if (index % third === third - 1) compare(before, questions, registry, hits);
        });
        compare(before, questions, registry, hits);
        judge.storeEpoch(plan.epoch);
        epoch = plan.epoch;
        compare(after, questions, registry, hits);
        for (const change of plan.cleanup) judge.write(change);
        compare(after, questions, registry, hits);
        release(next, registry);
        [former, before] = [next, after];
      };
      try {
        for (const policy of list) go(policy);
      } finally {
        go(null);
      }
    }),
    { numRuns: 40 },
  );
  // Not a test of nothing: who is judged, and who is denied.
  expect(hits.byRow).toBeGreaterThan(hits.asked / 20);
  expect(hits.denied).toBeGreaterThan(hits.asked / 40);
  for (const name of [
    "bh_subjects",
    "bh_peers",
    "bh_ranges4",
    "bh_ranges6",
    "bh_cells",
    "bh_ports",
  ])
    expect([name, judge.object.map(name).keys().length]).toEqual([name, 0]);
});
