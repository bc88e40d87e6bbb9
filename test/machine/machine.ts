// A machine booted for a test: a real systemd with real services, its own control groups, processes and network, on a disk
// in memory. It is restarted in good order or by pulling the plug, and all of it goes when the test goes, however that ends.
//
//   this host ── namespaces of the test: "outside", a LAN with 203.0.113.1 ──── the machine, 203.0.113.10
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../apps/controller/test/lab.ts";
import { Cgroups } from "./cgroups.ts";
import { diskScript, LAN, type Disk } from "./root.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MachineOptions extends Partial<Pick<Disk, "services" | "files" | "hostname">> {
  /** Folders of this host to be seen there under the same path, and not to be changed. */
  readonly shown?: readonly string[];
}

/** Nothing of whoever runs the test is to be seen by what runs there. */
const ENVIRONMENT = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "USER=root",
  "LANG=C.UTF-8",
  "NO_COLOR=1",
];
const NAMESPACES = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
const BOOT_MS = 60_000;

export class Machine {
  readonly name = `bhm-${randomBytes(3).toString("hex")}`;
  readonly #work = mkdtempSync(join(tmpdir(), "bhm-machine-"));
  readonly #cgroups = new Cgroups(this.name);
  #host: ChildProcess | undefined;
  #leader = 0;
  /** What systemd-nspawn and the machine's console said. */
  console = "";

  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const machine = new Machine();
    try {
      machine.#switchOn(options);
      await machine.#booted();
    } catch (error) {
      await machine.remove();
      throw new Error(`the machine does not boot:\n${machine.console}`, { cause: error });
    }
    return machine;
  }

  #switchOn({ services = [], files = {}, hostname = "server", shown = [] }: MachineOptions): void {
    const disk = diskScript({
      services,
      files,
      hostname,
      machineId: randomBytes(16).toString("hex"),
    });
    const nspawn = [
      "systemd-nspawn",
      "--quiet",
      "--boot",
      "--register=no",
      "--keep-unit",
      `--machine=${this.name}`,
      "--network-macvlan=lan0",
      "--resolv-conf=off",
      "--timezone=off",
      "--link-journal=no",
      "--console=pipe",
      ...shown.map((path) => `--bind-ro=${path}`),
      '--directory="$WORK/root"',
    ].join(" ");
    // A power cut ends systemd-nspawn; the next round is the next boot from the same disk.
    const script = `${this.#cgroups.enter}
ip link set lo up
ip link add name lan type veth peer name lan0
ip address add ${LAN.outside}/${LAN.bits} dev lan
ip link set lan up
ip link set lan0 up
# So that systemd-nspawn does not wait for a udev to name lan0, which nobody does here.
mount -o remount,bind,ro /sys
${disk}
while :; do ${nspawn} || :; ${this.#cgroups.forget}; done`;
    const host = spawn(
      "setpriv",
      [
        "--pdeathsig=KILL",
        "unshare",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-ec",
        script,
      ],
      {
        env: { ...process.env, WORK: this.#work, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    for (const stream of [host.stdout, host.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.console += text));
    this.#host = host;
  }

  /** Until a systemd other than `before` has started all that it is to start. */
  async #booted(before?: number): Promise<void> {
    await until(
      async () => {
        if (this.#host?.exitCode !== null) throw new Error("systemd-nspawn ended");
        const leader = this.#cgroups.leader();
        if (leader === undefined || leader === before) return false;
        this.#leader = leader;
        const { stdout } = await this.run("systemctl", "is-system-running", "--wait");
        return /^(running|degraded)\s*$/.test(stdout);
      },
      "the machine does not come up",
      BOOT_MS,
    );
  }

  /** The machine's files, as this host sees them. */
  path(path: string): string {
    return join(`/proc/${this.#leader}/root`, path);
  }

  /** A network namespace that has a name there. */
  netns(name: string): string {
    return this.path(`/run/netns/${name}`);
  }

  /** As root on the machine, in a session beside its services. */
  run(...command: readonly string[]): Promise<Ran> {
    const enter = `echo 0 >"$0/cgroup.procs"; exec "$@"`;
    return execute("sh", [
      "-c",
      enter,
      this.#cgroups.session(),
      "nsenter",
      `--target=${this.#leader}`,
      ...NAMESPACES,
      "--root",
      "env",
      "--chdir=/",
      "--ignore-environment",
      ...ENVIRONMENT,
      ...command,
    ]);
  }

  /** Fails when the command does; returns what it printed. */
  async well(...command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`${command.join(" ")}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  sh(script: string): Promise<string> {
    return this.well("sh", "-ec", script);
  }

  /** From the LAN that the machine is on. */
  outside(...command: readonly string[]): Promise<Ran> {
    const pid = this.#host?.pid;
    if (pid === undefined) throw new Error("the machine is not there");
    return execute("nsenter", [`--net=/proc/${pid}/ns/net`, ...command]);
  }

  /** The same for what goes on until it is killed, at the latest with the machine. */
  keepOutside(script: string): ChildProcess {
    const pid = this.#host?.pid;
    if (pid === undefined) throw new Error("the machine is not there");
    const into = ["nsenter", `--net=/proc/${pid}/ns/net`, "sh", "-c", script];
    return spawn("setpriv", ["--pdeathsig=KILL", ...into], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
  }

  /** In good order: services are ended, file systems are left. */
  async reboot(): Promise<void> {
    const before = this.#leader;
    await this.run("systemctl", "reboot");
    await this.#booted(before);
  }

  /** The plug is pulled, and put in again. */
  async powerCut(): Promise<void> {
    const before = this.#leader;
    process.kill(before, "SIGKILL");
    await this.#booted(before);
  }

  /** Every file that differs from the host's, and every one that is gone: what was written since the machine's first boot. */
  written(): readonly string[] {
    const upper = join(`/proc/${this.#host?.pid}/root`, this.#work, "upper");
    return readdirSync(upper, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name).slice(upper.length))
      .toSorted();
  }

  async remove(): Promise<void> {
    const host = this.#host;
    if (host !== undefined && host.exitCode === null && host.signalCode === null) {
      const gone = new Promise((resolve) => {
        host.once("close", resolve);
      });
      host.kill("SIGKILL");
      await gone;
    }
    await this.#cgroups.remove();
    rmSync(this.#work, { recursive: true, force: true });
  }
}

function execute(program: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 128;
        resolve({ code, stdout, stderr });
      },
    );
  });
}
