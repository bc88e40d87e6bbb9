/**
 * What importing a long log costs from end to end: a generator's rows through a pipe into `flows import`, which hands them to a
 * real controller with its store on disk. Told are rows a second and the most memory that each had; then the same log again
 * without its first row, so that every batch is another and every record the same: nothing of it may be stored.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flowsImportAnswerSchema } from "../apps/cli/src/schemas.ts";
import { until } from "../examples/shop/lab/until.ts";
import { absolute, type Figure } from "./figure.ts";

const DEFAULT_MIB = 128;
const ROOT = join(import.meta.dirname, "..");
const QUIET = "--disable-warning=ExperimentalWarning";
const LOOK_MS = 200;

interface Imported {
  readonly rows: number;
  readonly stored: number;
  readonly repeated: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

/** MiB that a process has had at most, as long as it is there. */
function peakOf({ pid, exitCode }: ChildProcess): number {
  const file = `/proc/${pid}/status`;
  if (exitCode !== null || !existsSync(file)) return 0;
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(file, "utf8"))?.[1] ?? 0) / 1024;
}

async function importLog(state: string, bytes: number, leftOut: number): Promise<Imported> {
  const started = performance.now();
  const log = spawn(
    process.execPath,
    [join(ROOT, "bench/long-log.ts"), String(bytes), String(leftOut)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const cli = spawn(
    process.execPath,
    [QUIET, join(ROOT, "apps/cli/src/main.ts"), "flows", "import", "aws-vpc", "-", "-o", "json"],
    { stdio: [log.stdout, "pipe", "inherit"], env: { ...process.env, BULKHEAD_STATE: state } },
  );
  let text = "";
  cli.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  let peakMiB = 0;
  const look = setInterval(() => (peakMiB = Math.max(peakMiB, peakOf(cli))), LOOK_MS);
  try {
    const [code] = await once(cli, "close");
    if (code !== 0) throw new Error(`flows import ended with ${String(code)}`);
  } finally {
    clearInterval(look);
    log.kill();
  }
  const [file] = flowsImportAnswerSchema.parse(JSON.parse(text)).files;
  if (file === undefined) throw new Error("nothing was imported");
  const { flows, stored, repeated } = file;
  return { rows: flows, stored, repeated, seconds: (performance.now() - started) / 1000, peakMiB };
}

/** `SIZE`: MiB of log. */
export async function benchImport(say: (line: string) => void): Promise<Figure[]> {
  const mib = Number(process.env["SIZE"] || DEFAULT_MIB);
  if (!Number.isFinite(mib) || mib <= 0) throw new Error("SIZE is a number of MiB");
  const state = mkdtempSync(join(tmpdir(), "bh-import-"));
  const controller = spawn(
    process.execPath,
    [QUIET, join(ROOT, "apps/controller/src/main.ts"), "--state", state],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    await until("controller", "", () => Promise.resolve(existsSync(join(state, "api.sock"))));
    const bytes = mib * 1024 * 1024;
    const first = await importLog(state, bytes, 0);
    const onDisk = statSync(join(state, "controller/flows.duckdb")).size;
    const controllerMiB = peakOf(controller);
    say(
      `import: ${mib} MiB, ${first.rows} rows in ${first.seconds.toFixed(1)} s, ${first.stored} stored; command ${first.peakMiB.toFixed(0)} MiB, controller ${controllerMiB.toFixed(0)} MiB at most, ${(onDisk / 2 ** 20).toFixed(0)} MiB on disk`,
    );
    const again = await importLog(state, bytes, 1);
    say(
      `import: again ${again.rows} rows in ${again.seconds.toFixed(1)} s, ${again.repeated} known`,
    );
    return [
      absolute("import/rows", "1/s", [first.rows / first.seconds]),
      absolute("import/rows not stored", "rows", [first.rows - first.stored], { atMost: 0 }),
      absolute("import/command, memory at most", "MiB", [first.peakMiB]),
      absolute("import/controller, memory at most", "MiB", [controllerMiB]),
      absolute("import/bytes on disk a row", "bytes", [onDisk / first.rows]),
      absolute("import/rows again", "1/s", [again.rows / again.seconds]),
      absolute("import/rows stored again", "rows", [again.stored], { atMost: 0 }),
      absolute("import/controller, memory in the end", "MiB", [peakOf(controller)]),
    ];
  } finally {
    controller.kill();
    if (controller.exitCode === null) await once(controller, "close");
    rmSync(state, { recursive: true, force: true });
  }
}
