// Links at every place where the datapath attaches programs, with real packets: what they deny, what a pin keeps, and that
// another program takes over without a packet in between. In a namespace and a control group of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  allLinks,
  allPrograms,
  attach,
  countRuns,
  hookContext,
  loadObject,
  openPinnedLink,
  perCpuValues,
  pin,
  programInfo,
  programsAt,
  testRunOf,
  unpin,
  type BpfLink,
  type BpfObject,
  type LinkSpec,
} from "../../src/bpf/index.ts";
import {
  AF_INET,
  insideNetns,
  isKernelError,
  libc,
  POLLIN,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../src/kernel/index.ts";
import { createCgroups } from "../cgroups.ts";
import { createNamespaces, netnsPath } from "../namespaces.ts";
import { compileTestObjects } from "./objects.ts";

const objects = compileTestObjects("verdict");
const namespaces = createNamespaces("bhb");
const name = namespaces.add("one");
const netns = netnsPath(name);
const groups = createCgroups("bhb");
const group = groups.add("one");
const groupFd = openSync(join(groups.mount, group), "r");
const home = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1] ?? "/";

const open: { close(): void }[] = [];
let object: BpfObject;
beforeEach(() => {
  object = loadObject({ file: objects.path("verdict") });
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  object.close();
});
afterAll(() => {
  closeSync(groupFd);
  groups.close();
  namespaces.close();
  objects.close();
});

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
/** 127.0.0.1 at a port, as `struct sockaddr_in`. */
const local = (port: number): Buffer => {
  const address = Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  address.writeUInt16BE(port, 2);
  return address;
};
const DENIED = 4711;
const OTHER = 4712;
const deny = (port: number): void => object.map("denied").update(u32(port), u32(1));
/** How many packets the program at that place was asked about. */
const seen = (place: number): bigint => {
  const map = object.map("seen");
  return perCpuValues(map, map.lookup(u32(place)) ?? Buffer.alloc(0)).reduce(
    (sum, each) => sum + each.readBigUInt64LE(),
    0n,
  );
};
const inside = <T>(work: () => T): T => insideNetns(netns, work);
const inGroup = <T>(work: () => T): T => {
  groups.put(process.pid, group);
  try {
    return work();
  } finally {
    groups.put(process.pid, home);
  }
};
const link = (program: string, spec: LinkSpec): BpfLink => {
  const made = inside(() => attach(object.program(program), spec));
  open.push(made);
  return made;
};
const forgotten = (one: BpfLink): BpfLink => {
  open.splice(open.indexOf(one), 1);
  return one;
};

/** Two sockets of datagrams in the namespace; what one sends to a port of the other, and the first that arrives there. */
function talkers(at = DENIED): { send(text: string, port?: number): string; received(): string } {
  const [from, to] = inside(() => [
    libc().socket(AF_INET, SOCK_DGRAM, 0),
    libc().socket(AF_INET, SOCK_DGRAM, 0),
  ]);
  libc().bind(to, local(at));
  open.push({ close: () => [from, to].forEach((fd) => libc().close(fd)) });
  return {
    send(text, port = DENIED) {
      try {
        libc().sendto(from, Buffer.from(text), 0, local(port));
        return "sent";
      } catch (error) {
        if (isKernelError(error)) return error.code;
        throw error;
      }
    },
    received() {
      if (libc().poll([{ fd: to, events: POLLIN, revents: 0 }], 30_000) === 0) return "nothing";
      const room = Buffer.alloc(100);
      return room.toString("utf8", 0, libc().recvfrom(to, room, 0) ?? 0);
    },
  };
}

const OUTPUT = { kind: "netfilter", family: "ipv4", hook: "output", priority: 0 } as const;
const EGRESS = { kind: "cgroup", attach: "cgroup-egress", fd: groupFd } as const;

describe("a link on a hook of netfilter", () => {
  it("denies from the moment it is there until it is gone", () => {
    const { send, received } = talkers();
    deny(DENIED);
    const one = link("hook", OUTPUT);
    expect(one.info()).toMatchObject({ kind: "netfilter", family: 2, hook: 3, priority: 0 });
    expect(send("denied")).toBe("EPERM");
    expect(send("elsewhere", OTHER)).toBe("sent");
    object.map("denied").delete(u32(DENIED));
    expect([send("allowed"), received()]).toEqual(["sent", "allowed"]);
    deny(DENIED);
    expect(send("denied")).toBe("EPERM");
    one.detach();
    expect([send("detached"), received()]).toEqual(["sent", "detached"]);
    expect(seen(2)).toBe(4n);
  });

  it("tells how often its program ran, while that is counted", () => {
    const { send } = talkers();
    const runs = (): bigint => programInfo(object.program("hook").fd).runs;
    link("hook", OUTPUT);
    send("not counted");
    const counting = countRuns();
    const before = runs();
    send("counted");
    send("counted");
    counting.close();
    expect(runs() - before).toBe(2n);
  });

  it("reads the connection's original tuple", () => {
    const { send, received } = talkers();
    deny(DENIED);
    link("tracked", OUTPUT);
    // Nothing is tracked yet in this namespace, and what is not tracked is denied.
    expect(send("untracked", OTHER)).toBe("EPERM");
    namespaces.run(
      name,
      ["nft", "-f", "-"],
      `table ip moved {
  chain output {
    type nat hook output priority -100;
    udp dport ${OTHER} redirect to :${DENIED}
  }
}\n`,
    );
    open.push({
      close: () => void namespaces.run(name, ["nft", "delete table ip moved"]),
    });
    expect(send("denied")).toBe("EPERM");
    // Goes to the denied port, but was not sent there.
    expect([send("redirected", OTHER), received()]).toEqual(["sent", "redirected"]);
  });

  it("cannot be given another program: the new one stands beside the old one until that goes", () => {
    const { send } = talkers();
    deny(DENIED);
    const old = link("hook", OUTPUT);
    expect(() => old.update(object.program("hook"))).toThrow(/EOPNOTSUPP/);
    expect(() => link("hook", OUTPUT)).toThrow(
      /EBUSY \(attaching hook to ipv4 output at priority 0\)/,
    );
    link("hook", { ...OUTPUT, priority: 1 });
    expect(send("both")).toBe("EPERM");
    forgotten(old).close();
    expect(send("new")).toBe("EPERM");
  });

  it("wants a program for such hooks, and a priority within the limits", () => {
    expect(() => link("group_egress", OUTPUT)).toThrow(/EINVAL/);
    expect(() => link("hook", { ...OUTPUT, priority: 0x7fffffff })).toThrow(/ERANGE/);
  });

  it("puts fragments together before, where asked", () => {
    link("hook", { ...OUTPUT, hook: "input", defragment: true });
    expect(allLinks()).toContainEqual(expect.objectContaining({ kind: "netfilter", hook: 1 }));
  });
});

describe("a link on a control group", () => {
  it("denies the group's packets and nobody else's", () => {
    deny(DENIED);
    const outside = talkers();
    const member = inGroup(() => talkers(OTHER));
    const one = link("group_egress", EGRESS);
    expect(one.info()).toMatchObject({
      kind: "cgroup",
      attach: "cgroup-egress",
      cgroup: BigInt(groups.numberOf(group)),
    });
    expect(member.send("denied")).toBe("EPERM");
    expect(outside.send("of nobody in it")).toBe("sent");
    expect(seen(0)).toBe(1n);
  });

  it("at connect gives the process its error at once", () => {
    deny(DENIED);
    link("group_connect", { kind: "cgroup", attach: "cgroup-connect4", fd: groupFd });
    const connect = (port: number): string => {
      const socket = inside(() => libc().socket(AF_INET, SOCK_STREAM, 0));
      try {
        libc().connect(socket, local(port));
        return "connected";
      } catch (error) {
        return isKernelError(error) ? error.code : String(error);
      } finally {
        libc().close(socket);
      }
    };
    expect(inGroup(() => [connect(DENIED), connect(OTHER)])).toEqual(["EPERM", "ECONNREFUSED"]);
    expect(connect(DENIED)).toBe("ECONNREFUSED");
  });

  it("is found gone when its group is", () => {
    const path = groups.add("short");
    const fd = openSync(join(groups.mount, path), "r");
    const one = link("group_egress", { ...EGRESS, fd });
    closeSync(fd);
    groups.remove(path);
    // The kernel takes the link off in its own time.
    const until = Date.now() + 30_000;
    while (one.info().kind === "cgroup" && cgroupOf(one) !== null && Date.now() < until)
      Atomics.wait(PAUSE, 0, 0, 5);
    expect(cgroupOf(one)).toBeNull();
  });

  it("changes its program only from the one that is expected", () => {
    const one = link("group_egress", EGRESS);
    const [first, second] = [object.program("group_egress"), object.program("group_closed")];
    expect(() => one.update(second, second)).toThrow(/EPERM/);
    one.update(second, first);
    expect(one.info().programId).toBe(second.info.id);
  });
});

const PAUSE = new Int32Array(new SharedArrayBuffer(4));
const cgroupOf = (one: BpfLink): bigint | null => {
  const info = one.info();
  return info.kind === "cgroup" ? info.cgroup : null;
};

describe("a link on an interface", () => {
  it("drops what leaves by it, and takes another program", () => {
    const { send, received } = talkers();
    deny(DENIED);
    const spec: LinkSpec = { kind: "tcx", attach: "tcx-egress", ifindex: 1 };
    const one = link("interface_closed", spec);
    expect(one.info()).toMatchObject({ kind: "tcx", attach: "tcx-egress", ifindex: 1 });
    send("lost");
    one.update(object.program("interface_egress"));
    send("lost as well");
    expect(seen(4)).toBe(1n);
    object.map("denied").delete(u32(DENIED));
    expect([send("first"), received()]).toEqual(["sent", "first"]);
  });

  it("is found gone when that is", () => {
    namespaces.run(name, ["ip", "link", "add", "short", "type", "bridge"]);
    const ifindex = Number(
      namespaces.run(name, ["ip", "-o", "link", "show", "short"]).split(":")[0],
    );
    const one = link("interface_egress", { kind: "tcx", attach: "tcx-egress", ifindex });
    expect(one.info()).toMatchObject({ ifindex });
    namespaces.run(name, ["ip", "link", "delete", "short"]);
    expect(one.info()).toMatchObject({ kind: "tcx", ifindex: null });
  });

  it("and those of others are told in the order in which they are asked", () => {
    const spec = { kind: "tcx", attach: "tcx-egress", ifindex: 1 } as const;
    expect(inside(() => programsAt(spec))).toEqual([]);
    for (const program of ["interface_egress", "interface_closed"]) link(program, spec);
    const ids = ["interface_egress", "interface_closed"].map(
      (each) => object.program(each).info.id,
    );
    expect(inside(() => programsAt(spec))).toEqual(ids);
    link("group_egress", EGRESS);
    expect(programsAt({ ...EGRESS })).toEqual([object.program("group_egress").info.id]);
  });

  it("that is not there is no place for one", () => {
    expect(() =>
      link("interface_egress", { kind: "tcx", attach: "tcx-egress", ifindex: 99 }),
    ).toThrow(/ENODEV/);
  });
});

describe("a pinned link", () => {
  it.each([
    ["netfilter", "hook", OUTPUT],
    ["cgroup", "group_egress", EGRESS],
  ] as const)("denies on when every descriptor is closed: %s", (name, program, spec) => {
    const { send, received } = inGroup(talkers);
    deny(DENIED);
    const path = join(objects.pins, name);
    const one = forgotten(link(program, spec));
    pin(one, path);
    one.close();
    const { id } = object.program(program).info;
    object.close();
    expect(send("denied")).toBe("EPERM");
    expect(allPrograms().some((each) => each.id === id)).toBe(true);
    const again = openPinnedLink(path);
    expect(again?.info().programId).toBe(id);
    again?.close();
    expect(send("denied")).toBe("EPERM");
    expect(unpin(path)).toBe(true);
    // The kernel lets go of it in its own time.
    const until = Date.now() + 30_000;
    let answer = send("free");
    for (; answer !== "sent" && Date.now() < until; answer = send("free"))
      Atomics.wait(PAUSE, 0, 0, 5);
    expect([answer, received()]).toEqual(["sent", "free"]);
    object = loadObject({ file: objects.path("verdict") });
  });
});

describe("a test run", () => {
  const ip = Buffer.from([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  const udp = (port: number): Buffer => Buffer.from([0, 1, port >> 8, port & 0xff, 0, 8, 0, 0]);
  const bare = (port: number): Buffer => Buffer.concat([ip, udp(port)]);
  const framed = (port: number): Buffer =>
    Buffer.concat([Buffer.alloc(12), Buffer.from([8, 0]), bare(port)]);

  it.each([
    ["group_egress", framed, null, [0, 1]],
    ["interface_egress", framed, null, [2, 0xffffffff]],
    ["hook", bare, null, [0, 1]],
    ["hook", framed, hookContext("ipv4", "forward"), [0, 1]],
  ] as const)("decides as a real packet would be decided: %s %#", (name, packet, context, said) => {
    deny(DENIED);
    const run = testRunOf(object.program(name));
    const answers = [DENIED, OTHER].map((port) => run.run(packet(port), context).returned);
    expect(answers).toEqual(said);
    expect(run.run(packet(OTHER), context, 1000).nanoseconds).toBeGreaterThan(0);
    if (name !== "hook") expect(run.packetAfter().subarray(14)).toEqual(bare(OTHER));
  });

  it("tells what the kernel does not take", () => {
    const run = testRunOf(object.program("hook"));
    expect(() => run.run(bare(1).subarray(0, 10))).toThrow(/EINVAL \(program hook\)/);
    expect(() => run.run(bare(1), hookContext("ipv4", "forward"))).toThrow(/EINVAL|EPROTO/);
    expect(() => testRunOf(object.program("group_connect")).run(null)).toThrow(/ENOTSUPP/);
    expect(() => run.run(Buffer.alloc(5000))).toThrow(RangeError);
  });
});

describe("while a flood of denied datagrams runs, none passes", () => {
  it("when a link is given another program", async () => {
    const one = link("group_egress", EGRESS);
    const [a, b] = [object.program("group_egress"), object.program("group_closed")];
    expect(await flooded((swap) => one.update(swap % 2 === 0 ? b : a))).toBe(0);
  });

  it("when an array of programs, to which a program at a hook of netfilter jumps, is given another", async () => {
    const [a, b] = [object.program("hook"), object.program("hook_closed")];
    object.map("next").put(u32(0), a);
    link("jump", OUTPUT);
    const change = (swap: number): void => object.map("next").put(u32(0), swap % 2 === 0 ? b : a);
    expect(await flooded(change)).toBe(0);
  });

  it("when links at a hook of netfilter take turns", async () => {
    let current = link("hook", OUTPUT);
    const change = (swap: number): void => {
      const next = link("hook", { ...OUTPUT, priority: (swap + 1) % 2 });
      forgotten(current).close();
      current = next;
    };
    expect(await flooded(change)).toBe(0);
  });
});

/** Changes 500 times what denies, while somebody in the group and the namespace sends without a pause: how much passed. */
async function flooded(change: (swap: number) => void): Promise<number> {
  deny(DENIED);
  const program = `
import socket, sys, select
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
passed = denied = 0
print("ready", flush=True)
while not (denied % 64 == 0 and select.select([sys.stdin], [], [], 0)[0]):
    try:
        s.sendto(b"x", ("127.0.0.1", ${DENIED}))
        passed += 1
    except PermissionError:
        denied += 1
    if denied == 2000: print("flood", flush=True)
print(passed, denied, flush=True)
`;
  const child = spawn("nsenter", [
    `--net=${netns}`,
    "sh",
    "-c",
    `echo $$ > ${join(groups.mount, group)}/cgroup.procs; exec python3 -c "$1"`,
    "sh",
    program,
  ]);
  open.push({ close: () => child.kill("SIGKILL") });
  const lines = createInterface(child.stdout);
  const said: string[] = [];
  lines.on("line", (line) => said.push(line));
  while (!said.includes("flood")) await once(lines, "line");
  for (let swap = 0; swap < 500; swap++) change(swap);
  child.stdin.end("stop\n");
  await once(lines, "close");
  const [passed, denied] = (said.at(-1) ?? "").split(" ").map(Number);
  if (passed === undefined || !((denied ?? 0) >= 2000)) throw new Error(`no flood: ${said.join()}`);
  return passed;
}
