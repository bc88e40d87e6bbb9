/**
 * What one question to `decide` costs with 10,000 policies, looked up in compiled rows; and the same question to Cedar, with a
 * policy for each of ours, parsed beforehand; and to OPA's, compiled beforehand to WebAssembly by OPA's own compiler. All answer alike,
 * which is checked. In turns, in one process.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createDecider, decide, indexInventory } from "@bulkhead/engine";
import type { FlowQuery } from "@bulkhead/model";
import {
  addressOf,
  appOf,
  APPS,
  called,
  caller,
  inventory,
  POLICIES,
  policySet,
  PORTS,
  portOf,
  WORKLOADS,
} from "./decide-world.ts";
import { absolute, compared, median } from "./figure.ts";
import { opa } from "./opa.ts";
import type { Figure } from "./figure.ts";

const set = policySet();
const ROUNDS = 7;
const QUESTIONS = 20_000;
/** Cedar looks at every policy. */
const CEDAR_QUESTIONS = 20;
const OPA_QUESTIONS = 200;
interface Question {
  readonly from: number;
  readonly to: number;
  readonly port: number;
}

/** Every other one is a policy's own. */
const question = (n: number): Question => {
  const policy = (n * 7919) % POLICIES;
  const other = (n * 31) % (WORKLOADS / APPS);
  const [from, to] = [caller(policy) + APPS * other, called(policy)];
  return n % 2 === 0
    ? { from, to, port: portOf(policy) }
    : {
        from: (n * 104_729) % WORKLOADS,
        to: (n * 15_485_863) % WORKLOADS,
        port: 1000 + (n % PORTS),
      };
};

const flowOf = ({ from, to, port }: Question): FlowQuery => ({
  source: addressOf(from),
  destination: addressOf(to),
  protocol: 6,
  port,
});

/** What we call of Cedar's binding. */
interface Cedar {
  preparsePolicySet(
    id: string,
    policies: { readonly staticPolicies: string },
  ): { readonly type: "success" | "failure" };
  statefulIsAuthorized(call: unknown): {
    readonly type: "success" | "failure";
    readonly response: { readonly decision: "allow" | "deny" };
  };
}

/** A peer of this benchmark alone, so it is no dependency of ours: it lies in a folder of its own, at this version. */
const PEER = "@cedar-policy/cedar-wasm";
const VERSION = "4.13.0";
const FOLDER = join(import.meta.dirname, "..", "node_modules", ".cache", "bench-peers");

/** Undefined where it is not installed, and stderr says how it would be. */
function cedar(): ((question: Question) => boolean) | undefined {
  const load = createRequire(join(FOLDER, "package.json"));
  let engine: Cedar;
  try {
    // What the package exports leaves its version out.
    const manifest = join(FOLDER, "node_modules", PEER, "package.json");
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
    if (version !== VERSION) throw new Error(`it is ${version}`);
    engine = load(`${PEER}/nodejs`) as Cedar;
  } catch (error) {
    const why = (error as Error).message.split("\n")[0];
    const how = `npm install --prefix ${FOLDER} --ignore-scripts ${PEER}@${VERSION}`;
    process.stderr.write(`bench: Cedar is not compared with (${why}): ${how}\n`);
    return undefined;
  }
  const texts = Array.from(
    { length: POLICIES },
    (_, policy) =>
      `permit(principal in App::"a${caller(policy)}", action == Action::"connect", resource in App::"a${called(policy)}") when { context.protocol == 6 && context.port == ${portOf(policy)} };`,
  );
  const parsed = engine.preparsePolicySet("bench", { staticPolicies: texts.join("\n") });
  if (parsed.type !== "success") throw new Error("Cedar does not take the policies");
  const pod = (workload: number) => ({ type: "Pod", id: `w${workload}` });
  const app = (workload: number) => ({ type: "App", id: `a${appOf(workload)}` });
  return ({ from, to, port }) => {
    const answer = engine.statefulIsAuthorized({
      principal: pod(from),
      action: { type: "Action", id: "connect" },
      resource: pod(to),
      context: { protocol: 6, port },
      preparsedPolicySetId: "bench",
      entities: [from, to].map((each) => ({ uid: pod(each), attrs: {}, parents: [app(each)] })),
    });
    if (answer.type !== "success") throw new Error("Cedar does not answer");
    return answer.response.decision === "allow";
  };
}

/** Microseconds a question. */
function meanOf(count: number, ask: (n: number) => void): number {
  const before = process.hrtime.bigint();
  for (let n = 0; n < count; n++) ask(n);
  return Number(process.hrtime.bigint() - before) / 1000 / count;
}

/** Questions asked together between two looks at the clock: enough that the clock is a small part of them. */
const BATCH = 32;

/**
 * How long the slowest of a hundred takes. One question takes less than a look at the clock, so that a single one can only be
 * told from the clock's own scatter: the share of both, the clock's own, and the same of batches, a question's part of them.
 */
function sharesOf(part: number, ask: (n: number) => void) {
  const timed = (count: number, size: number, what: (n: number) => void): Float64Array =>
    Float64Array.from({ length: count }, (_, n) => {
      const before = process.hrtime.bigint();
      for (let k = 0; k < size; k++) what(n * size + k);
      return Number(process.hrtime.bigint() - before);
    }).toSorted();
  const at = (times: Float64Array) => times[Math.floor(part * times.length)]!;
  const nothing = (): void => undefined;
  const clocks = timed(QUESTIONS, 1, nothing);
  const singles = timed(QUESTIONS, 1, ask);
  const batches = timed(Math.floor(QUESTIONS / BATCH), BATCH, ask);
  const idle = timed(Math.floor(QUESTIONS / BATCH), BATCH, nothing);
  const median = (times: Float64Array) => times[times.length >> 1]!;
  return {
    single: (at(singles) - median(clocks)) / 1000,
    clock: (at(clocks) - median(clocks)) / 1000,
    batch: (at(batches) - median(idle)) / BATCH / 1000,
  };
}

export async function benchDecide(): Promise<Figure[]> {
  const index = indexInventory(inventory);
  const options = { now: 0, view: "live" } as const;
  const made = performance.now();
  const decider = createDecider(set, index, options);
  const flows = Array.from({ length: QUESTIONS }, (_, n) => flowOf(question(n)));
  const ask = (n: number): boolean => decider(flows[n]!).verdict === "allow";
  // Everything is compiled when it is first asked for.
  for (let n = 0; n < QUESTIONS; n++) ask(n);
  const compiling = performance.now() - made;
  const reference = (n: number): boolean =>
    decide(set, index, flows[n]!, options).verdict === "allow";
  const other = cedar();
  const rego = await opa();

  let allowed = 0;
  for (let n = 0; n < CEDAR_QUESTIONS; n++) {
    const answers = [
      ask(n),
      reference(n),
      other?.(question(n)) ?? ask(n),
      rego?.(question(n)) ?? ask(n),
    ];
    if (new Set(answers).size !== 1) throw new Error(`question ${n} is answered ${answers.join()}`);
    if (answers[0]) allowed++;
  }
  if (allowed === 0 || allowed === CEDAR_QUESTIONS) throw new Error("the questions are all alike");

  const [ours, theirs, opas, plain]: [number[], number[], number[], number[]] = [[], [], [], []];
  const [single, clock, batch]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(meanOf(QUESTIONS, ask));
    if (other !== undefined) theirs.push(meanOf(CEDAR_QUESTIONS, (n) => other(question(n))));
    plain.push(meanOf(CEDAR_QUESTIONS, reference));
    if (rego !== undefined) opas.push(meanOf(OPA_QUESTIONS, (n) => rego(question(n))));
    const shares = sharesOf(0.99, ask);
    single.push(shares.single);
    clock.push(shares.clock);
    batch.push(shares.batch);
  }
  return [
    absolute("decide/10k policies, p99 of batches of 32", "us", batch, { atMost: 1 }),
    compared("decide/10k policies, p99 one by one", "us", single, "the clock's own p99", clock),
    ...(other === undefined
      ? []
      : [compared("decide/10k policies", "us", ours, "Cedar (wasm)", theirs, { atMost: 1 / 5 })]),
    ...(rego === undefined
      ? []
      : [compared("decide/10k policies", "us", ours, "OPA (wasm)", opas, { atMost: 1 / 50 })]),
    compared("decide/10k policies, looked up", "us", ours, "the reference", plain),
    absolute("decide/10k policies, compiled and asked once", "ms", [median([compiling])]),
  ];
}
