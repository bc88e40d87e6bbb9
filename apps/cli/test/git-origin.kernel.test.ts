/** Root asks git for commits in repositories of others: nothing that they say is run, and nothing is run as root there. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

/** A signed commit of the policy, as a pull request may bring it: git checks the signature if it is told to. */
function commitSigned(root: string): string {
  writeFileSync(join(root, "policies", "shop.yaml"), "kind: Policy # signed\n");
  git(root, "commit", "-qam", "signed");
  const commit = git(root, "cat-file", "commit", "HEAD");
  const signature =
    "gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n";
  const signed = `${commit.replace("\n\n", `\n${signature}`)}\n`;
  const hash = execFileSync("git", ["hash-object", "-t", "commit", "-w", "--stdin"], {
    cwd: root,
    input: signed,
    encoding: "utf8",
  });
  git(root, "update-ref", "HEAD", hash.trim());
  return hash.trim();
}

it("runs nothing that the repository says, and nothing as root in somebody else's", async () => {
  const { root } = repository(folder);
  const commit = commitSigned(root);
  const proof = join(folder, "proof");
  mkdirSync(proof);
  chmodSync(proof, 0o777);
  const trap = join(folder, "trap.sh");
  writeFileSync(trap, `#!/bin/sh\nid -u > ${proof}/$$\nexit 1\n`);
  chmodSync(trap, 0o755);
  for (const key of ["core.fsmonitor", "gpg.program", "core.pager", "core.sshCommand"]) {
    git(root, "config", key, trap);
  }
  git(root, "config", "log.showSignature", "true");
  const name = join(root, "policies", "shop.yaml");
  const mine = await withOrigins([{ name, text: "kind: Policy # signed\n" }]);
  expect(mine.files[0]?.origin?.commit).toBe(commit);
  expect(execFileSync("ls", [proof], { encoding: "utf8" })).toBe("");
  // Somebody else's whole repository: asked as that user, who may read it.
  execFileSync("chown", ["-R", "64101:64101", root]);
  const theirs = await withOrigins([{ name, text: "kind: Policy # signed\n" }]);
  expect(theirs.problems).toEqual([]);
  expect(theirs.files[0]?.origin?.commit).toBe(commit);
  // Somebody else's `.git` in a folder of root's, as anybody could make one in /tmp.
  chownSync(root, 0, 0);
  const planted = await withOrigins([{ name, text: "kind: Policy # signed\n" }]);
  expect(planted.files[0]?.origin).toBeUndefined();
  expect(planted.problems[0]).toContain("dubious ownership");
});
