/** Sockets as the kernel lists them, from real lists of this kernel's format. */
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sshSessions } from "../../src/link/host-sessions.ts";
import { listenersAmong } from "../../src/link/listeners.ts";
import { parseProcNet } from "../../src/link/proc-net.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (local: string, remote: string, state: string, inode = 1): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`;
const ANY4 = "00000000:0000";
const ANY6 = "00000000000000000000000000000000:0000";

describe("parseProcNet", () => {
  it("reads both families, and IPv4 inside IPv6", () => {
    expect(parseProcNet(HEAD + line("0B00090A:1538", "0A00090A:9C40", "01", 77), 4)).toEqual([
      {
        local: "10.9.0.11",
        localPort: 5432,
        remote: "10.9.0.10",
        remotePort: 40000,
        state: 1,
        inode: 77,
      },
    ]);
    const six = "000099FD000000000000000011000000:0050";
    const mapped = "0000000000000000FFFF00000A00090A:0051";
    expect(parseProcNet(HEAD + line(six, mapped, "0A"), 6)).toMatchObject([
      { local: "fd99::11", localPort: 80, remote: "10.9.0.10", remotePort: 81, state: 10 },
    ]);
  });

  it("finds nothing in a file without sockets, or in none", () => {
    expect([parseProcNet(HEAD, 4), parseProcNet("", 6)]).toEqual([[], []]);
  });
});

describe("listenersAmong", () => {
  it("lists who listens beyond loopback, each once, an IPv6 wildcard for both families", () => {
    const tcp4 =
      HEAD +
      line("0100007F:0016", ANY4, "0A") +
      line("0B00090A:1538", ANY4, "0A") +
      line("0B00090A:1538", "0A00090A:9C40", "01");
    const tcp6 = HEAD + line("00000000000000000000000000000000:0050", ANY6, "0A");
    const udp4 = HEAD + line("00000000:0035", ANY4, "07") + line("00000000:C350", ANY4, "07");
    const sockets = [tcp4, tcp6, udp4, ""].map((text, index) =>
      parseProcNet(text, index % 2 === 0 ? 4 : 6),
    );
    expect(listenersAmong(sockets)).toEqual([
      { protocol: 17, port: 53, family: 4 },
      { protocol: 6, port: 80, family: 4 },
      { protocol: 6, port: 5432, family: 4 },
      { protocol: 6, port: 80, family: 6 },
    ]);
  });
});

describe("sshSessions", () => {
  let proc: string;
  beforeEach(() => {
    proc = mkdtempSync(join(tmpdir(), "bhk-proc-"));
  });
  afterEach(() => rmSync(proc, { recursive: true }));

  function addProcess(
    pid: number,
    exe: string,
    sockets: readonly number[],
    namespace = "ours",
  ): void {
    mkdirSync(join(proc, String(pid), "fd"), { recursive: true });
    mkdirSync(join(proc, String(pid), "ns"));
    writeFileSync(join(proc, namespace), "");
    linkSync(join(proc, namespace), join(proc, String(pid), "ns", "net"));
    mkdirSync(join(proc, String(pid), "net"));
    symlinkSync(exe, join(proc, String(pid), "exe"));
    for (const inode of sockets)
      symlinkSync(`socket:[${inode}]`, join(proc, String(pid), "fd", String(inode)));
    const tcp =
      HEAD +
      line("0B00090A:0016", "0A00090A:9C40", "01", 7) +
      line("0B00090A:0016", "0C00090A:9C41", "01", 8) +
      line("00000000:0016", ANY4, "0A", 9);
    writeFileSync(join(proc, String(pid), "net", "tcp"), tcp);
    writeFileSync(join(proc, String(pid), "net", "tcp6"), HEAD);
  }

  it("takes the established connections of the daemon, also after its upgrade, and nobody else's", () => {
    addProcess(10, "/usr/sbin/sshd (deleted)", [7, 9]);
    addProcess(11, "/usr/bin/nc", [8]);
    mkdirSync(join(proc, "12"));
    expect(sshSessions([join(proc, "ours"), join(proc, "gone")], proc)).toEqual([
      {
        source: "10.9.0.10",
        destination: "10.9.0.11",
        protocol: 6,
        port: 22,
        what: "ssh session (sshd, pid 10)",
      },
    ]);
  });

  it("leaves alone a daemon in a network namespace of somebody else", () => {
    addProcess(10, "/usr/sbin/sshd", [7], "theirs");
    writeFileSync(join(proc, "ours"), "");
    expect(sshSessions([join(proc, "ours")], proc)).toEqual([]);
    expect(sshSessions([join(proc, "theirs")], proc)).toHaveLength(1);
  });
});
