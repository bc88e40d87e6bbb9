/**
 * OPA beside us: the policies of `decide` in Rego, compiled to WebAssembly by OPA's own compiler and asked through OPA's own
 * binding. Twice, for it matters how Rego is written: a rule for each policy, and the policies as data under their two ends,
 * which is the quickest that its documents advise. The quicker one is compared with.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { appOf, called, caller, POLICIES, portOf } from "./decide-world.ts";

/** Peers of benchmarks alone (docs/decisions/0080): no dependencies of ours. */
const BINDING = "@open-policy-agent/opa-wasm";
const BINDING_VERSION = "1.10.0";
const COMPILER_VERSION = "1.22.0";
const FOLDER = join(import.meta.dirname, "..", "node_modules", ".cache", "bench-peers");
const COMPILER = join(FOLDER, "opa");

interface Question {
  readonly from: number;
  readonly to: number;
  readonly port: number;
}

interface Loaded {
  setData(data: unknown): void;
  evaluate(input: unknown): readonly { readonly result: unknown }[];
}

const RULE_EACH = (): string =>
  `package bulkhead\ndefault allow := false\n${Array.from(
    { length: POLICIES },
    (_, policy) =>
      `allow if { input.from == "a${caller(policy)}"; input.to == "a${called(policy)}"; input.protocol == 6; input.port == ${portOf(policy)} }`,
  ).join("\n")}\n`;

const AS_DATA = `package bulkhead
default allow := false
allow if {
  some range in data.policies[input.to][input.from]
  range.protocol == input.protocol
  range.first <= input.port
  range.last >= input.port
}
`;

function policiesAsData(): unknown {
  const policies: Record<string, Record<string, object[]>> = {};
  for (let policy = 0; policy < POLICIES; policy++) {
    const of = (policies[`a${called(policy)}`] ??= {});
    const port = portOf(policy);
    (of[`a${caller(policy)}`] ??= []).push({ protocol: 6, first: port, last: port });
  }
  return { policies };
}

/** Microseconds a question, of a few. */
const timed = (ask: (n: number) => void): number => {
  const before = performance.now();
  for (let n = 0; n < 20; n++) ask(n);
  return ((performance.now() - before) * 1000) / 20;
};

/** Undefined where it is not installed, and stderr says how it would be. */
export async function opa(): Promise<((question: Question) => boolean) | undefined> {
  const how = [
    `npm install --prefix ${FOLDER} --ignore-scripts ${BINDING}@${BINDING_VERSION}`,
    `GOBIN=${FOLDER} go install github.com/open-policy-agent/opa@v${COMPILER_VERSION}`,
  ];
  let load: (module: Buffer) => Promise<Loaded>;
  try {
    const manifest = join(FOLDER, "node_modules", BINDING, "package.json");
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string };
    if (version !== BINDING_VERSION) throw new Error(`the binding is ${version}`);
    const said = execFileSync(COMPILER, ["version"], { encoding: "utf8" });
    if (!said.includes(`Version: ${COMPILER_VERSION}\n`))
      throw new Error("the compiler is another");
    const binding = createRequire(join(FOLDER, "package.json"))(BINDING) as {
      loadPolicy: (module: Buffer) => Promise<Loaded>;
    };
    load = (module) => binding.loadPolicy(module);
  } catch (error) {
    const why = (error as Error).message.split("\n")[0];
    process.stderr.write(`bench: OPA is not compared with (${why}): ${how.join(" && ")}\n`);
    return undefined;
  }
  const each = await load(compiled("rule-each", RULE_EACH()));
  const data = await load(compiled("as-data", AS_DATA));
  data.setData(policiesAsData());
  const asking =
    (policy: Loaded) =>
    ({ from, to, port }: Question): boolean =>
      policy.evaluate({ from: `a${appOf(from)}`, to: `a${appOf(to)}`, protocol: 6, port })[0]!
        .result === true;
  const sample = (n: number): Question => ({ from: n * 7, to: n * 13, port: 1000 + n });
  const ways = [asking(each), asking(data)].map((ask) => ({
    ask,
    cost: timed((n) => ask(sample(n))),
  }));
  process.stderr.write(
    `bench: OPA, a rule for each policy: ${ways[0]!.cost.toFixed(0)} us a question, policies as data: ${ways[1]!.cost.toFixed(0)} us\n`,
  );
  return ways.toSorted((a, b) => a.cost - b.cost)[0]!.ask;
}

/** WebAssembly, from the cache where the same was compiled before. */
function compiled(name: string, rego: string): Buffer {
  const folder = join(FOLDER, "rego", name);
  const [source, bundle] = [join(folder, "policy.rego"), join(folder, "bundle.tar.gz")];
  const isSame = existsSync(bundle) && readFileSync(source, "utf8") === rego;
  if (!isSame) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(source, rego);
    execFileSync(COMPILER, ["build", "-t", "wasm", "-e", "bulkhead/allow", "-o", bundle, source]);
  }
  return execFileSync("tar", ["-xzOf", bundle, "/policy.wasm"], { maxBuffer: 2 ** 28 });
}
