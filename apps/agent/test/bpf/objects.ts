/** The programs in bpf/test, compiled for one test file and removed with it; and a place for pins. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountBpffs, unmountBpffs } from "../../src/bpf/index.ts";

const project = join(import.meta.dirname, "..", "..", "..", "..");

export interface TestObjects {
  /** Path of the object made of `bpf/test/NAME.bpf.c`. */
  path(name: string): string;
  /** A bpffs of this test's own. */
  readonly pins: string;
  close(): void;
}

export function compileTestObjects(...names: readonly string[]): TestObjects {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-bpf-"));
  const pins = join(folder, "pins");
  const close = (): void => {
    unmountBpffs(pins);
    rmSync(folder, { recursive: true, force: true });
    process.off("exit", close);
  };
  process.on("exit", close);
  try {
    const sources = names.map((name) => join(project, "bpf", "test", `${name}.bpf.c`));
    const script = join(project, "scripts", "build-bpf.ts");
    if (names.length > 0)
      execFileSync(process.execPath, [script, folder, ...sources], { stdio: "pipe" });
    mountBpffs(pins);
  } catch (error) {
    close();
    throw error;
  }
  return { path: (name) => join(folder, `${name}.o`), pins, close };
}
