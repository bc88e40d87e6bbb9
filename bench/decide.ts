/**
 * What one question to `decide` costs with 10,000 policies, looked up in compiled rows; and the same question to Cedar, with a
 * policy for each of ours, parsed beforehand. Both answer alike, which is checked. In turns, in one process.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createDecider, decide, indexInventory } from "@bulkhead/engine";
import type { Block, FlowQuery, Inventory, Peer, PolicySet } from "@bulkhead/model";
import { absolute, compared, median } from "./figure.ts";
import type { Figure } from "./figure.ts";

const POLICIES = 10_000;
const WORKLOADS = 10_000;
const APPS = 500;
const PORTS = 40;
const ROUNDS = 7;
const QUESTIONS = 20_000;
/** Cedar looks at every policy. */
const CEDAR_QUESTIONS = 20;
const source = { file: "bench.yaml", line: 1, column: 1 };

const appOf = (workload: number): number => workload % APPS;
const addressOf = (workload: number): string => `10.0.${workload >> 8}.${workload & 255}`;
/** Who may call whom, and on which port. */
const caller = (policy: number): number => (7 * policy + 1) % APPS;
const called = (policy: number): number => policy % APPS;
const portOf = (policy: number): number => 1000 + ((policy * 13) % PORTS);

const chosen = (app: number): Extract<Peer, { kind: "workloads" }> => ({
  kind: "workloads",
  namespaces: { kind: "named", name: "shop" },
  selector: { requirements: [{ key: "app", operator: "In", values: [`a${app}`] }] },
});

const block = (policy: number): Block => ({
  id: `p${policy}#ingress`,
  source,
  subject: chosen(called(policy)),
  direction: "ingress",
  order: [0],
  isolates: true,
  enforce: "on",
  policy: { kind: "Policy", namespace: "shop", name: `p${policy}` },
  rules: [
    {
      id: `p${policy}#ingress/0`,
      source,
      action: "allow",
      peers: [chosen(caller(policy))],
      ports: [{ kind: "range", protocol: 6, first: portOf(policy), last: portOf(policy) }],
      enforce: "on",
    },
  ],
});

const set: PolicySet = {
  profile: { nodeExempt: true, hairpinExempt: true, default: "allow" },
  stages: [
    {
      id: "application",
      plane: "net",
      mode: "denyOverrides",
      endIfApplied: "deny",
      onPass: null,
      blocks: Array.from({ length: POLICIES }, (_, policy) => block(policy)),
    },
  ],
};

const inventory: Inventory = {
  namespaces: [],
  hostAddresses: [],
  workloads: Array.from({ length: WORKLOADS }, (_, workload) => ({
    id: `shop/w${workload}`,
    namespace: "shop",
    name: `w${workload}`,
    kind: "pod" as const,
    labels: { app: `a${appOf(workload)}` },
    addresses: [addressOf(workload)],
    namedPorts: [],
    hostNetwork: false,
  })),
};

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

/** Less what looking at the clock costs. */
function shareOf(part: number, ask: (n: number) => void): number {
  const timed = (what: (n: number) => void): Float64Array =>
    Float64Array.from({ length: QUESTIONS }, (_, n) => {
      const before = process.hrtime.bigint();
      what(n);
      return Number(process.hrtime.bigint() - before);
    }).toSorted();
  const at = Math.floor(part * QUESTIONS);
  const clock = timed(() => undefined)[QUESTIONS >> 1]!;
  return (timed(ask)[at]! - clock) / 1000;
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

  let allowed = 0;
  for (let n = 0; n < CEDAR_QUESTIONS; n++) {
    const answers = [ask(n), reference(n), other?.(question(n)) ?? ask(n)];
    if (new Set(answers).size !== 1) throw new Error(`question ${n} is answered ${answers.join()}`);
    if (answers[0]) allowed++;
  }
  if (allowed === 0 || allowed === CEDAR_QUESTIONS) throw new Error("the questions are all alike");

  const [ours, theirs, longest, plain]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(meanOf(QUESTIONS, ask));
    if (other !== undefined) theirs.push(meanOf(CEDAR_QUESTIONS, (n) => other(question(n))));
    plain.push(meanOf(CEDAR_QUESTIONS, reference));
    longest.push(shareOf(0.99, ask));
  }
  return [
    absolute("decide/10k policies, p99", "us", longest, { atMost: 1 }),
    ...(other === undefined
      ? []
      : [compared("decide/10k policies", "us", ours, "Cedar (wasm)", theirs, { atMost: 1 / 5 })]),
    compared("decide/10k policies, looked up", "us", ours, "the reference", plain),
    absolute("decide/10k policies, compiled and asked once", "ms", [median([compiling])]),
  ];
}
