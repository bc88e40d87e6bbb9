/** A git repository of a test, made by the real git with nobody's settings. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function git(root: string, ...args: readonly string[]): string {
  const who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"];
  return execFileSync("git", [...who, ...args], {
    cwd: root,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: root, GIT_CONFIG_NOSYSTEM: "1" },
  }).trim();
}

/** A repository with `policies/shop.yaml` in its first commit, and another commit after it. */
export function repository(
  folder: string,
  text = "kind: Policy\n",
): { root: string; first: string } {
  const root = join(folder, "repo");
  mkdirSync(join(root, "policies"), { recursive: true });
  git(root, "init", "-q");
  writeFileSync(join(root, "policies", "shop.yaml"), text);
  git(root, "add", ".");
  git(root, "commit", "-qm", "first");
  const first = git(root, "rev-parse", "HEAD");
  writeFileSync(join(root, "README"), "more\n");
  git(root, "add", ".");
  git(root, "commit", "-qm", "second");
  return { root, first };
}
