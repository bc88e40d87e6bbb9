// Set-up on machines that lack something: one clear line and exit 3 for each, services never started,
// and everything it put somewhere for a while taken away again. Runs in private copies of this machine.
import { chmodSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshCopy, program, run, start } from "./private-machine.ts";

const setUp = `"$ROOT/scripts/setup.sh"`;
const fresh = freshCopy();

beforeAll(() => chmodSync(fresh.folder, 0o755));
afterAll(() => fresh.remove());

/** Installs `conntrack` (which a test removed before) and writes down what it found in force. */
const workingApt = program(
  "/usr/bin/apt-get",
  `for word in "$@"; do [ "$word" = install ] && installing=1; done
[ -n "$installing" ] || exit 0
cp /usr/sbin/policy-rc.d "$WORK/guard"
cp "$WORK/conntrack" /usr/sbin/conntrack
mkdir -p /usr/lib/systemd/system
echo '[Unit]' >/usr/lib/systemd/system/bhs-new.service`,
);
const noConntrack = `cp /usr/sbin/conntrack "$WORK/conntrack"; rm /usr/sbin/conntrack\n`;
const ownPolicy = program("/usr/sbin/policy-rc.d", "exit 104");

describe("set-up cannot go on", () => {
  const cases: readonly (readonly [string, string, string | RegExp])[] = [
    [
      "without root",
      `setpriv --reuid=65534 --clear-groups ${fresh.folder}/scripts/setup.sh test`,
      "setup: this needs root: it installs packages and builds network namespaces (try sudo)",
    ],
    [
      "without a package and without apt",
      `rm /usr/sbin/conntrack /usr/bin/apt-get; ${setUp} runtime`,
      "setup: missing packages, and there is no apt-get here to install them: conntrack",
    ],
    [
      "with an apt that cannot get a package",
      `${noConntrack}${program("/usr/bin/apt-get", "echo 'E: Unable to locate package conntrack' >&2; exit 100")}${setUp} runtime`,
      /\nsetup: apt cannot install: conntrack \(E: Unable to locate package conntrack\)$/,
    ],
    [
      "without npm",
      `rm -f /usr/bin/npm; PATH=/usr/sbin:/usr/bin:/sbin:/bin ${fresh.folder}/scripts/setup.sh node`,
      "setup: npm is missing: install Node.js 20 or newer with its npm",
    ],
    [
      "with a registry that does not answer",
      `npm_config_registry=http://127.0.0.1:9 ${fresh.folder}/scripts/setup.sh node`,
      /\nsetup: the npm registry cannot be reached: /,
    ],
    [
      "on a kernel without nf_tables",
      `${program("/usr/sbin/nft", "exit 1")}${setUp} runtime`,
      "setup: the kernel lacks nf_tables, or nft may not use it here",
    ],
    [
      "on a kernel without packet logging",
      `cp /usr/sbin/nft "$WORK/nft"; ${program("/usr/sbin/nft", `case "$*" in *"log group"*) exit 1 ;; esac; exec "$WORK/nft" "$@"`)}${setUp} runtime`,
      "setup: the kernel lacks packet logging to user space (nft_log, nfnetlink_log)",
    ],
    [
      "on a kernel without conntrack's netlink interface",
      `${program("/usr/sbin/conntrack", "exit 1")}${setUp} runtime`,
      "setup: the kernel lacks the conntrack netlink interface (nf_conntrack_netlink)",
    ],
    [
      "where network namespaces are not allowed",
      `setpriv --bounding-set=-sys_admin ${setUp} runtime`,
      /^setup: cannot create a network namespace: /,
    ],
  ];

  it.each(cases)("%s", async (_name, script, line) => {
    const { code, stderr } = await run(script);
    expect(code).toBe(3);
    expect(stderr.trimEnd()).toMatch(line);
    // What it was about to install, what it tries next, and why it ends.
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  });

  it("leaves no namespace behind when the kernel lacks something", async () => {
    const script = `${program("/usr/sbin/conntrack", "exit 1")}${setUp} runtime; ip netns list`;
    expect((await run(script)).stdout).toBe("");
  });

  it("for a group that does not exist, with exit 2", async () => {
    const { code, stderr } = await run(`${setUp} everything`);
    expect(code).toBe(2);
    expect(stderr).toContain("unknown group: everything");
  });
});

describe("set-up installs packages", () => {
  it("says what, starts nothing meanwhile, and puts back the machine's own rule on services", async () => {
    const { code, stdout, stderr } = await run(
      `${noConntrack}${workingApt}${ownPolicy}${setUp} runtime || exit
sh "$WORK/guard"; echo "meanwhile $?"
/usr/sbin/policy-rc.d; echo "afterwards $?"
ls /usr/sbin/policy-rc.d*`,
    );
    expect(stderr).toBe("setup: installing Debian packages: conntrack\n");
    expect(stdout).toBe("meanwhile 101\nafterwards 104\n/usr/sbin/policy-rc.d\n");
    expect(code).toBe(0);
  });

  it("leaves no rule on services where there was none", async () => {
    const script = `rm -f /usr/sbin/policy-rc.d; ${noConntrack}${workingApt}${setUp} runtime && ls /usr/sbin/policy-rc.d*`;
    expect((await run(script)).stdout).toBe("");
  });

  it("does not leave new services on for the next boot, and does not touch old ones", async () => {
    const systemctl = program("/usr/bin/systemctl", `echo "$@" >>"$WORK/systemctl"`);
    const { stdout } = await run(
      `${noConntrack}${workingApt}${systemctl}${setUp} runtime && cat "$WORK/systemctl"`,
    );
    expect(stdout).toBe("--quiet disable bhs-new.service\n");
  });

  const slowApt = program("/usr/bin/apt-get", `echo installing >&2; touch "$WORK/begun"; sleep 30`);
  const waitBegun = `while [ ! -e "$WORK/begun" ]; do sleep 0.05; done`;

  it("puts the rule back when it is ended in the middle", async () => {
    const { stdout } = await run(
      `${noConntrack}${slowApt}${ownPolicy}
setsid ${setUp} runtime & pid=$!
${waitBegun}
kill -TERM -$pid; wait $pid; echo "exit $?"
/usr/sbin/policy-rc.d; echo "afterwards $?"`,
    );
    expect(stdout).toBe("exit 130\nafterwards 104\n");
  });

  it("puts the rule back in the next run when it was killed in the middle", async () => {
    const { stdout } = await run(
      `${noConntrack}${slowApt}${ownPolicy}
setsid ${setUp} runtime & pid=$!
${waitBegun}
kill -KILL -$pid; wait $pid; echo "exit $?"
${workingApt}${setUp} runtime
/usr/sbin/policy-rc.d; echo "afterwards $?"; ls /usr/sbin/policy-rc.d*`,
    );
    expect(stdout).toBe("exit 137\nafterwards 104\n/usr/sbin/policy-rc.d\n");
  });
});

describe("set-up with nothing to do", () => {
  it("says nothing and is quick", async () => {
    const script = `${setUp} runtime >/dev/null 2>&1; ${setUp} runtime`;
    const { code, stdout, stderr } = await run(script);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    const started = performance.now();
    await start(`${setUp} runtime >/dev/null 2>&1; for i in 1 2 3 4 5; do ${setUp} runtime; done`)
      .ended;
    // The first run tries the kernel, five follow; all of it on a machine that may be busy.
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
