/**
 * The demo speaks to Bulkhead as a person would: by running `./bulkhead VERB … -o json` and reading what it
 * prints. This file is all it knows of the command line; the types of the answers are the published ones.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type {
  ApplyAnswer,
  EdgesAnswer,
  ExplainAnswer,
  HistoryAnswer,
  PlanAnswer,
  ProbeEvent,
  ReadinessAnswer,
  ReplayAnswer,
  StatusAnswer,
  SuggestAnswer,
  WorkloadsAnswer,
} from "@bulkhead/api";
import { tryRun, type CommandResult } from "@bulkhead/example-shop";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LAUNCHER = join(ROOT, "bulkhead");

/** A verb that ended with an exit code its caller did not allow for. */
export class VerbFailed extends Error {
  readonly verb: string;
  /** The code of the failure, as `-o json` gives it. */
  readonly code: string;

  constructor(verb: string, result: CommandResult) {
    const said = failureIn(result.stderr) ?? failureIn(result.stdout);
    const words = withoutProgress(result.stderr) || result.stdout.trim() || "nothing was said";
    super(
      `\`bulkhead ${verb}\` ended with ${result.code}: ${said?.message ?? words.slice(0, 2000)}`,
    );
    this.name = "VerbFailed";
    this.verb = verb;
    this.code = said?.code ?? `exit ${result.code}`;
  }
}

/** `starting …` and the like say nothing of a failure. */
function withoutProgress(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.trimEnd().endsWith("…"))
    .join("\n")
    .trim();
}

/** The last line that is a failure as programs get it: `{"error":{"code":…,"message":…}}`. */
function failureIn(text: string): { readonly code: string; readonly message: string } | undefined {
  for (const line of text.split("\n").toReversed()) {
    if (!line.startsWith('{"error"')) continue;
    const { error } = JSON.parse(line) as { error: { code: string; message: string } };
    return error;
  }
  return undefined;
}

export interface Timed<Answer> {
  readonly answer: Answer;
  readonly code: number;
  readonly startedAt: number;
  readonly endedAt: number;
}

export class Bulkhead {
  readonly #state: string;
  readonly #timings: { readonly verb: string; readonly ms: number }[] = [];
  readonly #netns: string;
  readonly #env: Readonly<Record<string, string>>;

  /** `netns` is the namespace that plays the machine; `env` reaches the daemon through `up`. */
  constructor(state: string, netns: string, env: Readonly<Record<string, string>>) {
    this.#state = state;
    this.#netns = netns;
    this.#env = env;
  }

  /** Every verb run, with how long it took from its start to its end. */
  get timings(): readonly { readonly verb: string; readonly ms: number }[] {
    return this.#timings;
  }

  get state(): string {
    return this.#state;
  }

  /** How a person repeats a verb by hand. */
  typed(verb: string): string {
    return `./bulkhead ${verb} --state ${this.#state}`;
  }

  async up(): Promise<void> {
    const command = [
      "nsenter",
      `--net=/run/netns/${this.#netns}`,
      LAUNCHER,
      "up",
      "--read-configuration",
      "environment",
      "--state",
      this.#state,
    ];
    const result = await tryRun(command, { timeoutMs: 60_000, env: this.#env });
    if (result.code !== 0) throw new VerbFailed("up", result);
  }

  async down(): Promise<void> {
    await this.#run("down", ["--purge", "--yes"], [0], 30_000);
  }

  workloads(): Promise<WorkloadsAnswer> {
    return this.#json("workloads", []);
  }

  status(): Promise<StatusAnswer> {
    return this.#json("status", [], [0, 1]);
  }

  history(): Promise<HistoryAnswer> {
    return this.#json("history", []);
  }

  async edges(since: number): Promise<EdgesAnswer["edges"]> {
    return (await this.#json<EdgesAnswer>("observe", ["--since", moment(since)])).edges;
  }

  readiness(): Promise<ReadinessAnswer> {
    return this.#json("readiness", []);
  }

  suggest(since: number): Promise<SuggestAnswer> {
    return this.#json("suggest", ["--since", moment(since)]);
  }

  replay(files: readonly string[], since: number): Promise<ReplayAnswer> {
    return this.#json("replay", [...files, "--since", moment(since)], [0, 1]);
  }

  plan(files: readonly string[]): Promise<PlanAnswer> {
    return this.#json("plan", files, [0, 1]);
  }

  async apply(files: readonly string[], mode?: "audit" | "enforce"): Promise<Timed<ApplyAnswer>> {
    const startedAt = Date.now();
    const answer = await this.#json<ApplyAnswer>("apply", [
      ...files,
      ...(mode === undefined ? [] : ["--mode", mode]),
      "--reason",
      "demo",
    ]);
    return { answer, code: 0, startedAt, endedAt: Date.now() };
  }

  async explain(
    from: string,
    to: string,
  ): Promise<{ readonly answer: ExplainAnswer; readonly code: number }> {
    const result = await this.#run("explain", [from, to, "-o", "json"], [0, 1], 20_000);
    return { answer: JSON.parse(result.stdout) as ExplainAnswer, code: result.code };
  }

  async probe(): Promise<{ readonly events: readonly ProbeEvent[]; readonly code: number }> {
    const result = await this.#run("probe", ["-o", "json"], [0, 1], 60_000);
    const lines = result.stdout.split("\n").filter((line) => line !== "");
    return { events: lines.map((line) => JSON.parse(line) as ProbeEvent), code: result.code };
  }

  async #json<Answer>(
    verb: string,
    args: readonly string[],
    allowed: readonly number[] = [0],
  ): Promise<Answer> {
    const result = await this.#run(verb, [...args, "-o", "json"], allowed, 30_000);
    return JSON.parse(result.stdout) as Answer;
  }

  async #run(
    verb: string,
    args: readonly string[],
    allowed: readonly number[],
    timeoutMs: number,
  ): Promise<CommandResult> {
    const from = performance.now();
    const result = await tryRun([LAUNCHER, verb, ...args, "--state", this.#state], {
      timeoutMs,
      env: { NO_COLOR: "1" },
    });
    this.#timings.push({ verb, ms: Math.round(performance.now() - from) });
    if (!allowed.includes(result.code)) throw new VerbFailed(verb, result);
    return result;
  }
}

function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
