/** Completion as shells do it: the scripts are run by the real shells where these are installed. */
import { execFile, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answers } from "./answers.ts";
import { call } from "./call.ts";
import { startFakeController, type FakeController } from "./fake-controller.ts";

let controller: FakeController;
let folder = "";
const main = join(import.meta.dirname, "..", "src", "main.ts");

beforeAll(async () => {
  controller = await startFakeController(answers);
  folder = mkdtempSync(join(tmpdir(), "bhi-shell-"));
  const command = join(folder, "bulkhead");
  writeFileSync(
    command,
    `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${main}' "$@"\n`,
  );
  chmodSync(command, 0o755);
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(join(folder, `completion.${shell}`), (await call(["completion", shell])).stdout);
  }
});

afterAll(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function words(...typed: readonly string[]): Promise<readonly string[]> {
  const { stdout, code } = await call(["__complete", "--", ...typed], { state: controller.state });
  expect(code).toBe(0);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t")[0] ?? "");
}

describe("candidates", () => {
  it("verbs, and verbs that begin so", async () => {
    expect(await words("")).toContain("suggest");
    expect(await words("s")).toEqual(["status", "suggest", "slo", "schema"]);
    expect(await words("nonsense", "x")).toEqual([]);
    expect(await words("hel")).toEqual(["help"]);
    expect(await words("help", "su")).toEqual(["suggest"]);
  });

  it("options and their values", async () => {
    expect(await words("apply", "--c")).toEqual(["--confirm", "--canary"]);
    expect(await words("apply", "--canary", "")).toEqual(["1%", "10%", "50%"]);
    expect(await words("apply", "--mode", "")).toEqual(["audit", "enforce"]);
    expect(await words("status", "-o", "j")).toEqual(["json"]);
    expect(await words("suggest", "--to", "c")).toEqual([
      "clusternetworkpolicy",
      "cilium",
      "calico",
    ]);
    expect(await words("convert", ".", "--to", "is")).toEqual(["istio"]);
    expect(await words("suggest", "--approximate", "")).toEqual(["over", "under"]);
    expect(await words("decide", "--from", "")).toEqual([]);
    expect(await words("decide", "--queries", "")).toEqual([":files"]);
    expect(await words("prove", "")).toEqual([":files"]);
    expect(await words("prove", "policies/", "--that", "i")).toEqual(["isolated", "implies"]);
    expect(await words("boot", "")).toEqual(["enable", "disable", "restore"]);
    expect(await words("observe", "--verdict", "dropped,a")).toEqual(["dropped,audit"]);
    expect(await words("observe", "--verdict=dropped,a")).toEqual(["--verdict=dropped,audit"]);
    expect(await words("apply", "--mode=")).toEqual(["--mode=audit", "--mode=enforce"]);
    expect(await words("apply", "--prune=")).toEqual([]);
    expect(await words("observe", "-o", "")).toContain("jsonpb");
    expect(await words("map", "-o", "")).toEqual(
      expect.arrayContaining(["text", "dot", "svg", "mermaid"]),
    );
    expect(await words("observe", "--protocol", "tcp,ud")).toEqual(["tcp,udp", "tcp,udplite"]);
    expect(await words("observe", "--top", "--b")).toEqual(["--by"]);
    expect(await words("observe", "--top", "5", "--by", "d")).toEqual(["denied"]);
  });

  it("workloads, with a colon where a port must follow", async () => {
    expect(await words("explain", "")).toEqual(["shop/web", "shop/db", "lab/web"]);
    expect(await words("explain", "shop/web", "shop/")).toEqual(["shop/web:", "shop/db:"]);
    expect(await words("why", "shop/web", "shop/d")).toEqual(["shop/db:"]);
    expect(await words("observe", "--to", "lab")).toEqual(["lab/web"]);
    expect(await words("workloads", "-n", "")).toEqual(["shop", "lab"]);
    expect(await words("probe", "shop/d")).toEqual(["shop/db"]);
  });

  it("revisions and schemas", async () => {
    const { revisions } = answers.history;
    expect(await words("rollback", "")).toEqual(revisions.map(({ revision }) => `${revision}`));
    expect(await words("history", "")).toEqual(await words("rollback", ""));
    expect(await words("history", "1", "")).toEqual([]);
    expect(await words("schema", "wo")).toEqual(["workloads"]);
    expect(await words("schema", "P")).toEqual(["Policy", "PolicyTest"]);
  });

  it("labels that workloads have, each once", async () => {
    expect(await words("observe", "--from-label", "app=")).toEqual(["app=db", "app=web"]);
    expect(await words("map", "--group-by", "")).toEqual(["app", "role"]);
  });

  it("resources in force, those not yet named", async () => {
    expect(await words("delete", "Policy/")).toEqual([
      "Policy/lab/old",
      "Policy/shop/default-deny",
      "Policy/shop/old",
    ]);
    expect(await words("delete", "Policy/lab/old", "Policy/")).toEqual([
      "Policy/shop/default-deny",
      "Policy/shop/old",
    ]);
  });

  it("files for policies", async () => {
    expect(await words("apply", "")).toEqual([":files"]);
    expect(await words("suggest", "-f", "")).toEqual([":files"]);
    expect(await words("suggest", "--directory", "")).toEqual([":files"]);
    expect(await words("suggest", "--flows", "")).toEqual([":files"]);
    expect(await words("suggest", "--format", "z")).toEqual(["zeek"]);
    expect(await words("flows", "i")).toEqual(["import"]);
    expect(await words("flows", "import", "aws")).toEqual(["aws-vpc"]);
    expect(await words("flows", "import", "aws-vpc", "")).toEqual([":files"]);
    expect(await words("readiness", "--level", "")).toEqual(["workload", "group", "application"]);
    expect(await words("suggest", "-o", "mark")).toEqual(["markdown"]);
  });

  it("nothing, and no error, without a controller", async () => {
    const { stdout, stderr, code } = await call(["__complete", "--", "explain", ""], {
      state: folder,
    });
    expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "", code: 0 });
  });
});

describe("bash", () => {
  /** What bash would offer for a line with the cursor at its end. */
  async function offered(line: string): Promise<readonly string[]> {
    const script = `
      source '${folder}/completion.bash'
      COMP_LINE=$1 COMP_POINT=\${#1}
      # As readline does it: words end at blanks and at COMP_WORDBREAKS.
      COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
      local_line=\${1//:/ : }
      read -r -a COMP_WORDS <<< "\${local_line//=/ = }"
      [[ $1 == *[[:space:]:=] ]] && COMP_WORDS+=("")
      COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 ))
      _bulkhead 2> /dev/null
      (( \${#COMPREPLY[@]} )) && printf '%s\\n' "\${COMPREPLY[@]}"
      complete -p bulkhead > /dev/null`;
    // Not synchronously: the controller that is asked lives in this process.
    const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", script, "bash", line], {
      encoding: "utf8",
      cwd: folder,
      env: { PATH: `${folder}:${process.env["PATH"]}`, BULKHEAD_STATE: controller.state },
    });
    return stdout.split("\n").filter((word) => word !== "");
  }

  it("completes verbs, options, workloads and files", async () => {
    expect(await offered("bulkhead obs")).toEqual(["observe"]);
    expect(await offered("bulkhead apply --mo")).toEqual(["--mode"]);
    expect(await offered("bulkhead apply --mode=en")).toEqual(["enforce"]);
    expect(await offered("bulkhead explain shop/d")).toEqual(["shop/db"]);
    expect(await offered("bulkhead explain shop/db shop/w")).toEqual(["shop/web:"]);
    expect(await offered("bulkhead apply completion.b")).toEqual(["completion.bash"]);
  });
});

describe.each([
  ["bash", ["-n"]],
  ["zsh", ["-n"]],
  ["fish", ["--no-execute"]],
])("the %s script", (shell, flags) => {
  it("names the command it completes, and parses where the shell is installed", () => {
    const path = join(folder, `completion.${shell}`);
    const parsed = spawnSync(shell, [...flags, path], { encoding: "utf8" });
    const missing =
      parsed.error !== undefined && "code" in parsed.error && parsed.error.code === "ENOENT";
    const parses = { status: parsed.status, stderr: parsed.stderr };
    expect(missing ? { status: 0, stderr: "" } : parses).toEqual({ status: 0, stderr: "" });
    expect(readFileSync(path, "utf8")).toContain("__complete --");
  });
});
