/** A real Prometheus in a lab's host namespace, scraping the controller there; and what the shipped files ask of it. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { until } from "../lab.ts";
import { dashboards } from "./dashboards.ts";

const run = promisify(execFile);
const RULES = join(
  import.meta.dirname,
  "..",
  "..",
  "..",
  "..",
  "packaging",
  "prometheus",
  "bulkhead.rules.yml",
);
const BASE = "http://127.0.0.1:9090";
const ASK = `
  const answers = []
  for (const url of JSON.parse(process.argv[1])) {
    const answer = await fetch(url)
    answers.push(await answer.json())
  }
  process.stdout.write(JSON.stringify(answers))`;

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }[];
    readonly groups?: readonly {
      readonly rules: readonly { readonly name: string; readonly health: string }[];
    }[];
  };
}

/** Of all dashboards; what Grafana fills in is filled in. */
export function panelQueries(): readonly string[] {
  return dashboards()
    .flatMap(({ panels }) => panels.flatMap(({ targets = [] }) => targets))
    .map(({ expr }) => expr.replaceAll("$__rate_interval", "30s"));
}

/** An alert that is silent has no data; what it looks at has. */
export function alertMetrics(): readonly string[] {
  const { groups } = parse(readFileSync(RULES, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  const names = groups.flatMap(({ rules }) =>
    rules.flatMap(({ expr }) => expr.match(/\b(?:bulkhead_\w+|up)\b/g) ?? []),
  );
  // Only while there is one.
  return [...new Set(names)].filter((name) => name !== "bulkhead_alarms_recent");
}

export class RealPrometheus {
  readonly #netns: string;
  readonly #child: ChildProcess;

  private constructor(netns: string, child: ChildProcess) {
    this.#netns = netns;
    this.#child = child;
  }

  static async start(netns: string, folder: string): Promise<RealPrometheus> {
    const root = join(folder, "log", "prometheus");
    mkdirSync(root, { recursive: true });
    const config = join(root, "prometheus.yml");
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
        rule_files: [RULES],
        scrape_configs: [
          { job_name: "bulkhead", static_configs: [{ targets: ["127.0.0.1:9464"] }] },
        ],
      }),
    );
    const child = spawn(
      "nsenter",
      [
        `--net=${netns}`,
        "prometheus",
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(root, "data")}`,
        "--web.listen-address=127.0.0.1:9090",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const prometheus = new RealPrometheus(netns, child);
    try {
      await until(
        () =>
          prometheus.values("up").then(
            (found) => found.length > 0,
            () => false,
          ),
        () => `Prometheus does not answer:\n${said}`,
        60_000,
      );
    } catch (error) {
      await prometheus.stop();
      throw error;
    }
    return prometheus;
  }

  async #ask(paths: readonly string[]): Promise<readonly Answer[]> {
    const urls = JSON.stringify(paths.map((path) => `${BASE}${path}`));
    const { stdout } = await run(
      "nsenter",
      [`--net=${this.#netns}`, process.execPath, "--input-type=module", "-e", ASK, urls],
      { maxBuffer: 1 << 26 },
    );
    return JSON.parse(stdout) as readonly Answer[];
  }

  #query(queries: readonly string[]): Promise<readonly Answer[]> {
    return this.#ask(queries.map((query) => `/api/v1/query?query=${encodeURIComponent(query)}`));
  }

  /** Those that have none, or that it does not understand. */
  async withoutData(queries: readonly string[]): Promise<readonly string[]> {
    const answers = await this.#query(queries);
    return answers.flatMap(({ status, error, data }, at) =>
      status === "success" && data !== undefined && data.result.length > 0
        ? []
        : [`${queries[at]} ${error ?? ""}`],
    );
  }

  async values(
    query: string,
  ): Promise<
    readonly { readonly metric: Readonly<Record<string, string>>; readonly value: number }[]
  > {
    const [answer] = await this.#query([query]);
    return (answer?.data?.result ?? []).map(({ metric, value }) => ({
      metric,
      value: Number(value[1]),
    }));
  }

  /** Rules that it could not evaluate. */
  async unhealthyRules(): Promise<readonly string[]> {
    let unwell: readonly string[] = [];
    await until(
      async () => {
        const [answer] = await this.#ask(["/api/v1/rules"]);
        const rules = answer?.data?.groups?.flatMap((group) => group.rules) ?? [];
        unwell = rules.filter(({ health }) => health === "err").map(({ name }) => name);
        return rules.length > 0 && rules.every(({ health }) => health !== "unknown");
      },
      "rules are not evaluated",
      30_000,
    );
    return unwell;
  }

  /** What it complains of. */
  async promtoolCheckMetrics(): Promise<string> {
    const { stdout, stderr } = await run("nsenter", [
      `--net=${this.#netns}`,
      "sh",
      "-c",
      "curl -sf http://127.0.0.1:9464/metrics | promtool check metrics",
    ]);
    return stdout + stderr;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => {
      this.#child.once("exit", () => resolve());
    });
    this.#child.kill("SIGKILL");
    await ended;
  }
}
