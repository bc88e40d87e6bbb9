import { connect, createServer, type Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createBatchReceiver,
  currentNetns,
  descriptorOf,
  encodeMessage,
  insideNetns,
  KernelError,
  libc,
  netnsIdentity,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  openNetlink,
  peerCredentials,
  rulesetGeneration,
  withNetnsFile,
} from "../../src/kernel/index.ts";
import { createLab, type NetnsLab } from "./netns-lab.ts";

const ENODEV = 19;

let lab: NetnsLab;
beforeAll(() => {
  lab = createLab();
});
afterAll(() => lab.close());

describe("network namespaces", () => {
  test("work runs inside and the thread returns", () => {
    const home = currentNetns();
    const target = withNetnsFile(lab.routerPath, netnsIdentity);
    expect(target).not.toBe(home);
    expect(insideNetns(lab.routerPath, currentNetns)).toBe(target);
    expect(currentNetns()).toBe(home);
  });

  test("the thread returns when the work throws", () => {
    const home = currentNetns();
    expect(() =>
      insideNetns(lab.routerPath, () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(currentNetns()).toBe(home);
  });

  test("asynchronous work is refused, and the thread returns", () => {
    const home = currentNetns();
    expect(() => insideNetns(lab.routerPath, async () => 1)).toThrow("asynchronous");
    expect(currentNetns()).toBe(home);
  });

  test("a vanished namespace is an ordinary ENOENT", () => {
    expect(() => insideNetns(`/run/netns/${lab.prefix}-never`, () => 1)).toThrow("ENOENT");
  });
});

describe("netlink", () => {
  test("a socket stays in the namespace it was opened in", () => {
    const socket = insideNetns(lab.routerPath, () => openNetlink(NETLINK_ROUTE));
    try {
      const before = insideNetns(lab.routerPath, () => rulesetGeneration().id);
      lab.load(lab.router, "table inet bulkhead_gen {\n}\n");
      expect(insideNetns(lab.routerPath, () => rulesetGeneration().id)).toBe(before + 1);
      // Our own namespace's generation did not move: the question went to the right one.
      expect(socket.drops()).toBe(0);
    } finally {
      socket.close();
    }
  });

  test("refusals carry the errno's name and what was being done", () => {
    const socket = openNetlink(NETLINK_ROUTE);
    try {
      // RTM_GETLINK (18) for an interface that does not exist.
      const header = Buffer.alloc(16);
      header.writeInt32LE(0x7fffffff, 4);
      expect(() => socket.request("asking for a link", 18, header)).toThrow(
        new KernelError("netlink", ENODEV, "asking for a link"),
      );
    } finally {
      socket.close();
    }
  });

  test("a full receive buffer is told as -1, counted, and passes", () => {
    const NFNLGRP_NFTABLES = 7;
    const socket = insideNetns(lab.routerPath, () => openNetlink(NETLINK_NETFILTER));
    const receiver = createBatchReceiver(16, 4096);
    try {
      expect(socket.growReceiveBuffer(2048)).toBeGreaterThan(0);
      socket.join(NFNLGRP_NFTABLES);
      for (let round = 0; round < 40; round++)
        lab.load(lab.router, `table inet bulkhead_fill${round} {\n}\n`);
      const answers: number[] = [];
      for (
        let count = receiver.receive(socket.fd);
        count !== 0;
        count = receiver.receive(socket.fd)
      )
        answers.push(count);
      expect(answers).toContain(-1);
      expect(answers.some((count) => count > 0)).toBe(true);
      expect(socket.drops()).toBeGreaterThan(0);
      lab.load(lab.router, "table inet bulkhead_after {\n}\n");
      expect(receiver.receive(socket.fd)).toBeGreaterThan(0);
    } finally {
      receiver.free();
      socket.close();
    }
  });

  test("a datagram that does not fit its slot is told, not cut", () => {
    const socket = insideNetns(lab.routerPath, () => openNetlink(NETLINK_ROUTE));
    const receiver = createBatchReceiver(4, 64);
    try {
      const address = Buffer.alloc(12);
      address.writeUInt16LE(16);
      // RTM_GETLINK as a dump: answers are far longer than 64 bytes.
      libc().sendto(socket.fd, encodeMessage(18, 0x301, 1, Buffer.alloc(16)), 0, address);
      expect(receiver.receive(socket.fd)).toBeGreaterThan(0);
      expect(receiver.length(0)).toBe(-1);
    } finally {
      receiver.free();
      socket.close();
    }
  });
});

test("a unix socket's peer is known by the kernel's word", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bulkhead-peer-"));
  const path = join(folder, "s");
  const server = createServer();
  try {
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const client = connect(path);
    const socket = await accepted;
    const fd = descriptorOf(socket);
    expect(fd).not.toBeNull();
    expect(peerCredentials(fd!)).toEqual({
      pid: process.pid,
      uid: process.getuid!(),
      gid: process.getgid!(),
    });
    client.destroy();
    socket.destroy();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(descriptorOf(socket)).toBeNull();
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test("something that is no socket has no peer", () => {
  expect(() => withNetnsFile(lab.routerPath, peerCredentials)).toThrow("ENOTSOCK");
});
