/** The parts of unit discovery that need no kernel: the list of users, what dpkg says, which sockets count. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TCP, UDP } from "@bulkhead/model";
import { packagesIn } from "../../../src/discovery/units/executables.ts";
import { createSocketReader, ownedBy } from "../../../src/discovery/units/own-sockets.ts";
import { createUsers, usersIn } from "../../../src/discovery/units/users.ts";
import { permittedIn, REACHING_FROM_HERE } from "../../../src/link/capabilities.ts";
import { bindSoon } from "../../../src/link/bind-soon.ts";
import type { DiagSocket } from "../../../src/link/sock-diag.ts";
import { cgroup2Mount } from "../../../src/kernel/index.ts";

const socket = (more: Partial<DiagSocket> = {}): DiagSocket => ({
  state: 10,
  local: "0.0.0.0",
  localPort: 80,
  remote: "0.0.0.0",
  remotePort: 0,
  inode: 1,
  uid: 0,
  ifindex: 0,
  cgroup: 7,
  ...more,
});

test("users are known by the machine's own list, the first of several names counts", () => {
  const text =
    "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbad\n";
  expect([...usersIn(text)]).toEqual([
    [0, "root"],
    [1000, "alice"],
  ]);
  const folder = mkdtempSync(join(tmpdir(), "bhc-"));
  try {
    const file = join(folder, "passwd");
    const users = createUsers(file);
    expect(users(1000)).toBe(undefined);
    writeFileSync(file, text);
    expect(users(1000)).toBe("alice");
    writeFileSync(file, text.replace("alice", "bob-the-builder"));
    expect(users(1000)).toBe("bob-the-builder");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("of dpkg's answer, packages; not diversions, nor paths that nobody asked about", () => {
  const asked = new Map([
    ["/usr/bin/sh", "/usr/bin/sh"],
    ["/bin/sh", "/usr/bin/sh"],
    ["/usr/sbin/nginx", "/usr/sbin/nginx"],
  ]);
  const text =
    "diversion by dash from: /bin/sh\ndash: /bin/sh\nnginx-core:amd64, nginx: /usr/sbin/nginx\nx: /etc/x\n";
  expect([...packagesIn(text, asked)]).toEqual([
    ["/usr/bin/sh", "dash"],
    ["/usr/sbin/nginx", "nginx-core"],
  ]);
});

test("an IPv6 wildcard is both families' unless it says otherwise", () => {
  const any = socket({ local: "::" });
  expect(ownedBy({ ...any, v6Only: false }, TCP, 6).map(({ family }) => family)).toEqual([4, 6]);
  expect(ownedBy({ ...any, v6Only: true }, TCP, 6).map(({ family }) => family)).toEqual([6]);
  // Mapped: an IPv6 socket bound to one IPv4 address.
  expect(ownedBy(socket({ local: "10.0.0.1" }), TCP, 6)).toEqual([
    { address: "10.0.0.1", family: 4, protocol: TCP, port: 80 },
  ]);
});

test("a kernel that does not tell sockets' groups says nothing of owners", () => {
  const range = () => ({ first: 32_768, last: 60_999 });
  const { cgroup: _, ...bare } = socket();
  const reader = (found: readonly DiagSocket[] | null) =>
    createSocketReader(
      () => 0,
      (protocol, family) => (protocol === UDP || family === 6 ? [] : found),
      range,
    )();
  expect(reader([bare])).toBe(null);
  expect(reader(null)).toBe(null);
  expect(reader([socket()])).toHaveLength(1);
});

test("a capability that a process has laid down for a moment is one that it has", () => {
  const status = "CapPrm:\t0000000000002000\nCapEff:\t0000000000000000\n";
  expect(permittedIn(status, REACHING_FROM_HERE)).toEqual(["CAP_NET_RAW"]);
});

test("the hierarchy of version 2 is found beside those of version 1, and its whole before a part", () => {
  const line = (root: string, point: string, kind: string) =>
    `30 24 0:27 ${root} ${point} rw,nosuid shared:9 - ${kind} ${kind} rw`;
  const v1 = line("/", "/sys/fs/cgroup/cpu", "cgroup");
  expect(cgroup2Mount([v1, line("/", "/sys/fs/cgroup/unified", "cgroup2")].join("\n"))).toBe(
    "/sys/fs/cgroup/unified",
  );
  const part = line("/docker/a", "/var/lib/x\\040y", "cgroup2");
  expect(cgroup2Mount([part, line("/", "/sys/fs/cgroup", "cgroup2")].join("\n"))).toBe(
    "/sys/fs/cgroup",
  );
  expect(cgroup2Mount(part)).toBe("/var/lib/x y");
  expect(cgroup2Mount(v1)).toBe(null);
});

test("binding goes on one time after the other, and a burst is one more", async () => {
  let running = 0;
  let times = 0;
  const release: (() => void)[] = [];
  const failures: unknown[] = [];
  const bind = bindSoon(
    async () => {
      times += 1;
      running += 1;
      expect(running).toBe(1);
      await new Promise<void>((resolve) => release.push(resolve));
      running -= 1;
      if (times === 2) throw new Error("once");
    },
    (error) => failures.push(error),
  );
  for (let at = 0; at < 5; at++) bind();
  expect(times).toBe(1);
  release.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(times).toBe(2);
  release.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(times).toBe(2);
  expect(failures).toHaveLength(1);
  bind();
  expect(times).toBe(3);
  release.shift()?.();
});
