// Links at every place where the datapath attaches programs, with real packets: what they deny, what a pin keeps, and that
// another program takes over without a packet in between. In a namespace and a control group of its own.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  allLinks,
  allPrograms,
  countRuns,
  hookContext,
  openPinnedLink,
  pin,
  programInfo,
  programsAt,
  testRunOf,
  unpin,
  type BpfLink,
  type LinkSpec,
} from "../../src/bpf/index.ts";
import { AF_INET, isKernelError, libc, SOCK_STREAM } from "../../src/kernel/index.ts";
import { until } from "../kernel/netns-lab.ts";
import { createLinkLab, DENIED, local, OTHER, u32 } from "./link-lab.ts";

const lab = createLinkLab();
const { allow, deny, flooded, forget, groups, inGroup, inside, link, seen, talkers } = lab;
beforeEach(() => lab.begin());
afterEach(() => lab.end());
afterAll(() => lab.close());

const OUTPUT = { kind: "netfilter", family: "ipv4", hook: "output", priority: 0 } as const;
const EGRESS = { kind: "cgroup", attach: "cgroup-egress", fd: lab.groupFd } as const;

describe("a link on a hook of netfilter", () => {
  it("denies from the moment it is there until it is gone", () => {
    const { send, received } = talkers();
    deny(DENIED);
    const one = link("hook", OUTPUT);
    expect(one.info()).toMatchObject({ kind: "netfilter", family: 2, hook: 3, priority: 0 });
    expect(send("denied")).toBe("EPERM");
    expect(send("elsewhere", OTHER)).toBe("sent");
    allow(DENIED);
    expect([send("allowed"), received()]).toEqual(["sent", "allowed"]);
    deny(DENIED);
    expect(send("denied")).toBe("EPERM");
    one.detach();
    expect([send("detached"), received()]).toEqual(["sent", "detached"]);
    expect(seen(2)).toBe(4n);
  });

  it("tells how often its program ran, while that is counted", () => {
    const { send } = talkers();
    const runs = (): bigint => programInfo(lab.object.program("hook").fd).runs;
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
    lab.load(`table ip moved {
  chain output {
    type nat hook output priority -100;
    udp dport ${OTHER} redirect to :${DENIED}
  }
}\n`);
    lab.kept({ close: () => lab.load("delete table ip moved\n") });
    expect(send("denied")).toBe("EPERM");
    // Goes to the denied port, but was not sent there.
    expect([send("redirected", OTHER), received()]).toEqual(["sent", "redirected"]);
  });

  it("cannot be given another program: the new one stands beside the old one until that goes", () => {
    const { send } = talkers();
    deny(DENIED);
    const old = link("hook", OUTPUT);
    expect(() => old.update(lab.object.program("hook"))).toThrow(/EOPNOTSUPP/);
    expect(() => link("hook", OUTPUT)).toThrow(
      /EBUSY \(attaching hook to ipv4 output at priority 0\)/,
    );
    link("hook", { ...OUTPUT, priority: 1 });
    expect(send("both")).toBe("EPERM");
    forget(old).close();
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
      cgroup: BigInt(groups.numberOf(lab.group)),
    });
    expect(member.send("denied")).toBe("EPERM");
    expect(outside.send("of nobody in it")).toBe("sent");
    expect(seen(0)).toBe(1n);
  });

  it("at connect gives the process its error at once", () => {
    deny(DENIED);
    link("group_connect", { kind: "cgroup", attach: "cgroup-connect4", fd: lab.groupFd });
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

  it("is found gone when its group is", async () => {
    const path = groups.add("short");
    const fd = openSync(join(groups.mount, path), "r");
    const one = link("group_egress", { ...EGRESS, fd });
    closeSync(fd);
    groups.remove(path);
    // The kernel takes the link off in its own time.
    await until("the link to be without a group", () => cgroupOf(one) === null);
    expect(one.info()).toMatchObject({ kind: "cgroup", cgroup: null });
  });

  it("changes its program only from the one that is expected", () => {
    const one = link("group_egress", EGRESS);
    const [first, second] = [
      lab.object.program("group_egress"),
      lab.object.program("group_closed"),
    ];
    expect(() => one.update(second, second)).toThrow(/EPERM/);
    one.update(second, first);
    expect(one.info().programId).toBe(second.info.id);
  });
});

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
    one.update(lab.object.program("interface_egress"));
    send("lost as well");
    expect(seen(4)).toBe(1n);
    allow(DENIED);
    expect([send("first"), received()]).toEqual(["sent", "first"]);
  });

  it("is found gone when that is", () => {
    lab.run("ip", "link", "add", "short", "type", "bridge");
    const ifindex = Number(lab.run("ip", "-o", "link", "show", "short").split(":")[0]);
    const one = link("interface_egress", { kind: "tcx", attach: "tcx-egress", ifindex });
    expect(one.info()).toMatchObject({ ifindex });
    lab.run("ip", "link", "delete", "short");
    expect(one.info()).toMatchObject({ kind: "tcx", ifindex: null });
  });

  it("and those of others are told in the order in which they are asked", () => {
    const spec = { kind: "tcx", attach: "tcx-egress", ifindex: 1 } as const;
    expect(inside(() => programsAt(spec))).toEqual([]);
    for (const program of ["interface_egress", "interface_closed"]) link(program, spec);
    const ids = ["interface_egress", "interface_closed"].map(
      (each) => lab.object.program(each).info.id,
    );
    expect(inside(() => programsAt(spec))).toEqual(ids);
    link("group_egress", EGRESS);
    expect(programsAt({ ...EGRESS })).toEqual([lab.object.program("group_egress").info.id]);
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
  ] as const)("denies on when every descriptor is closed: %s", async (name, program, spec) => {
    const { send, received } = inGroup(talkers);
    deny(DENIED);
    const path = join(lab.pins, name);
    const one = forget(link(program, spec));
    pin(one, path);
    one.close();
    const { id } = lab.object.program(program).info;
    lab.object.close();
    expect(send("denied")).toBe("EPERM");
    expect(allPrograms().some((each) => each.id === id)).toBe(true);
    const again = openPinnedLink(path);
    expect(again?.info().programId).toBe(id);
    again?.close();
    expect(send("denied")).toBe("EPERM");
    expect(unpin(path)).toBe(true);
    // The kernel lets go of it in its own time.
    await until("nobody to deny", () => send("free") === "sent");
    expect(received()).toBe("free");
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
    const run = testRunOf(lab.object.program(name));
    const answers = [DENIED, OTHER].map((port) => run.run(packet(port), context).returned);
    expect(answers).toEqual(said);
    expect(run.run(packet(OTHER), context, 1000).nanoseconds).toBeGreaterThan(0);
    if (name !== "hook") expect(run.packetAfter().subarray(14)).toEqual(bare(OTHER));
  });

  it("tells what the kernel does not take", () => {
    const run = testRunOf(lab.object.program("hook"));
    expect(() => run.run(bare(1).subarray(0, 10))).toThrow(/EINVAL \(program hook\)/);
    expect(() => run.run(bare(1), hookContext("ipv4", "forward"))).toThrow(/EINVAL|EPROTO/);
    expect(() => testRunOf(lab.object.program("group_connect")).run(null)).toThrow(/ENOTSUPP/);
    expect(() => run.run(Buffer.alloc(5000))).toThrow(RangeError);
  });
});

describe("while a flood of denied datagrams runs, none passes", () => {
  it("when a link is given another program", async () => {
    const one = link("group_egress", EGRESS);
    const [a, b] = [lab.object.program("group_egress"), lab.object.program("group_closed")];
    expect(await flooded((swap) => one.update(swap % 2 === 0 ? b : a))).toBe(0);
  });

  it("when an array of programs, to which a program at a hook of netfilter jumps, is given another", async () => {
    const [a, b] = [lab.object.program("hook"), lab.object.program("hook_closed")];
    lab.object.map("next").put(u32(0), a);
    link("jump", OUTPUT);
    const change = (swap: number): void =>
      lab.object.map("next").put(u32(0), swap % 2 === 0 ? b : a);
    expect(await flooded(change)).toBe(0);
  });

  it("when links at a hook of netfilter take turns", async () => {
    let current = link("hook", OUTPUT);
    const change = (swap: number): void => {
      const next = link("hook", { ...OUTPUT, priority: (swap + 1) % 2 });
      forget(current).close();
      current = next;
    };
    expect(await flooded(change)).toBe(0);
  });
});
