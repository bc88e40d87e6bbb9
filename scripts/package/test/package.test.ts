// What is packed, from a small payload: the same bytes whenever and wherever it is made, owned by root, with
// units, manual and completions in their places, and nothing of tests or of this checkout.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chmodSync,
  existsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgram } from "../../../apps/cli/src/program.ts";
import { makeDebian, makeTarball, type Made } from "../archives.ts";
import { manualPage } from "../man.ts";
import { readManifest } from "../../bpf/manifest.ts";
import { project, tryParts, version, writeSources } from "../payload.ts";

const folder = mkdtempSync(join(tmpdir(), "bpk-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A payload whose packages are one file and one link. */
function payload(name: string): string {
  const path = join(folder, name);
  writeSources(path);
  const bin = join(path, "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(path, "node_modules", "program"), "#!/bin/sh\n");
  chmodSync(join(path, "node_modules", "program"), 0o775);
  symlinkSync("../program", join(bin, "node"));
  return path;
}

function run(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
  });
  expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
  return stdout;
}

const made = (name: string): Made => ({
  payload: join(folder, name),
  out: join(folder, `${name}-out`),
  arch: "x64",
  date: 1_700_000_000,
});

describe("the archives", () => {
  const files: Record<string, string> = {};
  beforeAll(() => {
    payload("one");
    // The same, made by somebody else at another time, in another order, with another mask.
    cpSync(join(folder, "one"), join(folder, "two"), { recursive: true, verbatimSymlinks: true });
    for (const path of globSync("**/*.ts", { cwd: join(folder, "two") }).toReversed()) {
      utimesSync(join(folder, "two", path), 1, 1);
      chmodSync(join(folder, "two", path), 0o600);
    }
    for (const name of ["one", "two"]) {
      files[`${name} tarball`] = makeTarball(made(name));
      files[`${name} debian`] = makeDebian(made(name));
    }
  }, 120_000);

  it.each(["tarball", "debian"])("the same payload gives the same %s, byte for byte", (kind) => {
    const [one = "", two = "x"] = ["one", "two"].map((name) => files[`${name} ${kind}`]);
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
  });

  it("the tarball has one folder, owned by root, with a fixed time", () => {
    const listed = run("tar", "--verbose", "--numeric-owner", "-tzf", files["one tarball"] ?? "");
    const lines = listed.trim().split("\n");
    expect(lines.length).toBeGreaterThan(300);
    for (const line of lines) {
      expect(line).toMatch(/^[-dl]rw[x-]r-[x-]r-[x-] 0\/0 |^lrwxrwxrwx 0\/0 /);
      expect(line).toContain(" 2023-11-14 22:13 ");
      expect(line).toContain(` bulkhead-${version()}-linux-x64`);
    }
    // Links lead where they led.
    expect(listed).toContain(".bin/node -> ../program\n");
    expect(listed).not.toMatch(/\/test\/|vitest|\.git/);
  });

  it("the Debian package has everything where Debian looks for it", () => {
    const listed = run("dpkg-deb", "--contents", files["one debian"] ?? "");
    const paths = listed.split("\n").map((line) => line.split(/\s+/)[5]);
    expect(paths).toEqual(
      expect.arrayContaining([
        "./usr/bin/bulkhead",
        "./usr/lib/bulkhead/bulkhead",
        "./usr/lib/bulkhead/bpf/objects/manifest.json",
        ...Object.keys(readManifest().objects).map(
          (object) => `./usr/lib/bulkhead/bpf/objects/${object}.o`,
        ),
        "./usr/lib/systemd/system/bulkhead.service",
        "./usr/lib/systemd/system/bulkhead-boot.service",
        "./usr/share/man/man1/bulkhead.1.gz",
        "./usr/share/bash-completion/completions/bulkhead",
        "./usr/share/zsh/vendor-completions/_bulkhead",
        "./usr/share/fish/vendor_completions.d/bulkhead.fish",
        "./usr/share/doc/bulkhead/copyright",
      ]),
    );
    expect(
      paths.filter((path) => path?.startsWith("./etc/") || path?.startsWith("./var/")),
    ).toEqual([]);
    for (const line of listed.trim().split("\n")) expect(line).toContain(" root/root ");
  });

  it("its units start what it brings, with nothing left to fill in", () => {
    const tree = join(folder, "unpacked");
    run("dpkg-deb", "--raw-extract", files["one debian"] ?? "", tree);
    const unit = readFileSync(join(tree, "usr/lib/systemd/system/bulkhead.service"), "utf8");
    const [, node = "", main = ""] =
      /^ExecStart=(\S+) \S+ (\S+) up --foreground --state \/var\/lib\/bulkhead$/m.exec(unit) ?? [];
    expect(existsSync(join(tree, node))).toBe(true);
    expect(existsSync(join(tree, main))).toBe(true);
    expect(unit).not.toMatch(/@[A-Z]+@/);
    expect(run("sh", "-c", `cd ${tree} && md5sum --check --quiet DEBIAN/md5sums`)).toBe("");
    const control = readFileSync(join(tree, "DEBIAN/control"), "utf8");
    expect(control).toContain(`Version: ${version()}\nArchitecture: amd64\n`);
    // What scripts/setup.sh asks for on a host is what the package depends on.
    const setup = readFileSync(join(project, "scripts/setup.sh"), "utf8");
    const runtime = /\truntime\)\n((?:\t\techo '\S+ \S+'\n)+)/.exec(setup)?.[1] ?? "";
    const wanted = [...runtime.matchAll(/echo '\S+ (\S+)'/g)].map((match) => match[1] ?? "");
    expect(wanted).toContain("nftables");
    const depends = /^Depends: (.*)$/m.exec(control)?.[1] ?? "";
    for (const name of wanted) expect(depends).toMatch(new RegExp(`(^|, )${name}( \\(|,|$)`));
    for (const script of ["postinst", "prerm", "postrm"])
      run("sh", "-n", join(tree, "DEBIAN", script));
  });
});

it("a payload without its compiled parts is not packed: npm leaves them out silently where there are none", () => {
  const bin = join(folder, "bare", "node_modules", ".bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, join(bin, "node"));
  expect(() => tryParts(join(folder, "bare"))).toThrow(/would lack a part.*koffi/s);
});

describe("the manual page", () => {
  const page = manualPage("1.2.3");
  const program = createProgram(
    {
      stdout: { write: () => true },
      stderr: { write: () => true },
      stdin: (async function* () {})(),
      env: {},
      now: () => 0,
      signal: new AbortController().signal,
    },
    () => undefined,
  );

  it("names every verb with every option, what it does, and its example", () => {
    const text = page.replaceAll("\\-", "-");
    const verbs = program.commands.filter((command) => !command.name().startsWith("__"));
    expect(verbs.length).toBeGreaterThan(20);
    for (const verb of verbs) {
      const start = text.indexOf(`.SS "bulkhead ${verb.name()} `);
      expect(start, verb.name()).toBeGreaterThan(0);
      const section = text.slice(start, text.indexOf("\n.S", start + 1));
      expect(section).toContain(verb.description());
      for (const option of verb.options) {
        expect(section).toContain(`.B "${option.flags}"\n${option.description}`);
      }
      expect(section).toMatch(new RegExp(`^\\$ .*bulkhead ${verb.name()}\\b`, "m"));
    }
  });

  it("is well-formed man(7), where that can be judged", () => {
    expect(page).toMatch(/^\.TH BULKHEAD 1 /m);
    // Lines that begin with a dot are requests of man(7) and nothing else.
    const requests = page.split("\n").filter((line) => /^[.']/.test(line));
    for (const line of requests)
      expect(line).toMatch(/^\.(?:\\"|TH|SH|SS|TP|PP|B|BR|I|RI|nf|fi|RS|RE)\b|^\.\\"/);
    expect(page.split("\n").filter((line) => line === ".nf")).toHaveLength(
      page.split("\n").filter((line) => line === ".fi").length,
    );
  });
});
