/** The commit that a policy file is from: asked of a real git, in repositories that mean well and in one that does not. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withOrigins } from "../src/git-origin.ts";
import { git, repository } from "./repository.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bhi-git-"));
  chmodSync(folder, 0o755);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

it("is the last that touched the file, with its path from the root, and whether it was changed since", async () => {
  const { root, first } = repository(folder);
  const name = join(root, "policies", "shop.yaml");
  const same = await withOrigins([{ name, text: "kind: Policy\n" }]);
  expect(same.problems).toEqual([]);
  expect(same.files[0]?.origin).toEqual({
    commit: first,
    path: "policies/shop.yaml",
    changed: false,
  });
  const changed = await withOrigins([{ name, text: "kind: Policy # now\n" }]);
  expect(changed.files[0]?.origin).toMatchObject({ commit: first, changed: true });
});

it("is absent for what is in no commit, in no repository, or from standard input", async () => {
  const { root } = repository(folder);
  const empty = join(folder, "empty");
  mkdirSync(empty);
  git(empty, "init", "-q");
  const files = [
    { name: "-", text: "x" },
    { name: join(folder, "plain.yaml"), text: "x" },
    { name: join(root, "policies", "fresh.yaml"), text: "x" },
    { name: join(empty, "a.yaml"), text: "x" },
    { name: join(folder, "gone", "a.yaml"), text: "x" },
  ];
  const found = await withOrigins(files);
  expect(found).toEqual({ files, problems: [] });
});

it("of a repository that cannot be read is told, and nothing else stops", async () => {
  const { root } = repository(folder);
  writeFileSync(join(root, ".git", "HEAD"), "nonsense");
  const { files, problems } = await withOrigins([
    { name: join(root, "policies", "shop.yaml"), text: "x" },
  ]);
  expect(files[0]?.origin).toBeUndefined();
  expect(problems[0]).toMatch(/^the commit of `.*shop\.yaml` is not recorded: /);
});
