/** A lockdown on real packets: whom it cuts off from whom, whatever they send, and whom it leaves alone. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  frame,
  ip4,
  listen,
  openMouth,
  udp4,
  udp6,
  datagram,
  type Ear,
} from "../../../../test/security/frames.ts";
import { createWall } from "../../src/boot/lockdown.ts";
import { createHostCommands } from "../../src/drivers/host-commands.ts";
import { createLab, type Lab, type LabWorkload } from "../drivers/lab.ts";

const PORT = 4343;
const ADMIN = "192.0.2.77";
const NAMES = ["shut", "cut", "open", "other"] as const;
type Name = (typeof NAMES)[number];

let lab: Lab;
let wall: ReturnType<typeof createWall>;
let ears: Readonly<Record<Name, Ear>>;

const workload = (name: string): LabWorkload => lab.workload(name);
const addressesOf = (...names: readonly string[]) =>
  names.map(workload).flatMap(({ v4, v6 }) => [v4, v6]);

beforeAll(() => {
  lab = createLab(NAMES, ["far"]);
  // Somebody who comes by a link of another kind, as an administrator does.
  lab.run(lab.host, ["ip", "-batch", "-"], `link set lo up\naddr add ${ADMIN}/32 dev lo\n`);
  wall = createWall(createHostCommands(lab.hostPath));
  ears = Object.fromEntries(
    NAMES.map((name) => [name, listen(workload(name).path, PORT)]),
  ) as typeof ears;
});
afterAll(() => {
  for (const ear of Object.values(ears ?? {})) ear.close();
  lab?.close();
});
beforeEach(() => wall.lift());

const pings = (from: string, to: string, seconds: number, source?: string): boolean => {
  const as = source === undefined ? [] : ["-I", source];
  try {
    lab.run(from, ["ping", "-c1", "-i0.2", `-w${seconds}`, ...as, to]);
    return true;
  } catch {
    return false;
  }
};
/** Again and again: ping ends when the kernel gives up on a neighbour whom a lockdown before kept from answering. */
const reaches = (from: string, to: string, source?: string): void => {
  const end = performance.now() + 30_000;
  let reached = pings(from, to, 5, source);
  while (!reached && performance.now() < end) reached = pings(from, to, 5, source);
  expect(reached).toBe(true);
};
const reachesNot = (from: string, to: string): void => expect(pings(from, to, 1)).toBe(false);

describe("where nobody can say what was enforced", () => {
  test("who is claimed to be enforced is cut off only as what hangs on a veth", async () => {
    reaches(lab.host, "10.86.0.1", ADMIN);
    reaches(workload("shut").netns, "10.86.0.1");
    reaches(workload("far").netns, "10.86.0.1");
    const addresses = [...addressesOf("shut", "far"), ADMIN];
    expect(await wall.raise({ addresses, forwarding: true })).toEqual([]);
    reaches(lab.host, "10.86.0.1", ADMIN);
    reaches(lab.host, ADMIN, "10.86.0.1");
    reaches(workload("open").netns, "10.86.0.1");
    for (const name of ["shut", "far"]) {
      reachesNot(workload(name).netns, "10.86.0.1");
      reachesNot(workload(name).netns, "fd86::1");
    }
    reachesNot(workload("open").netns, workload("other").v4);
    reachesNot(workload("far").netns, workload("other").v6);
  });
});

const linkLocal = ({ netns }: LabWorkload): string => {
  const listed = lab.run(netns, ["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"]);
  return /inet6 (fe80:[^/]*)/.exec(listed)![1]!;
};
const mouthOf = ({ netns, path }: LabWorkload): ReturnType<typeof openMouth> =>
  openMouth(path, Number.parseInt(lab.run(netns, ["ip", "-o", "link", "show", "eth0"])));

/** Frames between two, each of which says its name to a plain socket. */
function ways(from: LabWorkload, to: LabWorkload): Readonly<Record<string, Buffer>> {
  const v4 = (tags: string, mac: string, source: string, destination: string) => (text: string) =>
    frame(mac, from.mac, tags, udp4(source, destination, PORT, text));
  const v6 = (mac: string, source: string, destination: string) => (text: string) =>
    frame(mac, from.mac, "86dd", udp6(source, destination, PORT, text));
  const all = {
    plain4: v4("0800", to.mac, from.v4, to.v4),
    plain6: v6(to.mac, from.v6, to.v6),
    tagged: v4("810000000800", to.mac, from.v4, to.v4),
    "tagged twice": v4("81000000810000000800", to.mac, from.v4, to.v4),
    "tagged twice, in another's name": v4("81000000810000000800", to.mac, "10.86.0.99", to.v4),
    "in another's name": v4("0800", to.mac, "10.86.0.99", to.v4),
    broadcast: v4("0800", "ff:ff:ff:ff:ff:ff", "10.86.0.99", "255.255.255.255"),
    "broadcast, to one": v4("0800", to.mac, "10.86.0.99", "255.255.255.255"),
    "broadcast of the subnet": v4("0800", "ff:ff:ff:ff:ff:ff", "10.86.0.99", "10.86.0.255"),
    "link-local": v6(to.mac, linkLocal(from), linkLocal(to)),
    "all nodes": v6("33:33:00:00:00:01", linkLocal(from), "ff02::1"),
    "all nodes, to one": v6(to.mac, "fd86::99", "ff02::1"),
  };
  return Object.fromEntries(Object.entries(all).map(([name, make]) => [name, make(`(${name})`)]));
}

const until = async (holds: () => boolean, what: () => string): Promise<void> => {
  const end = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** What arrives of these frames by the time that something sent after them by others has arrived. */
async function arriving(from: Name, to: Name, wanted: number): Promise<readonly string[]> {
  const frames = ways(workload(from), workload(to));
  for (const ear of Object.values(ears)) ear.heard();
  const [open, other] = [workload("open"), workload("other")];
  const mouth = mouthOf(workload(from));
  const fence = mouthOf(open);
  let heard = "";
  let passed = "";
  try {
    for (const bytes of Object.values(frames)) mouth.send(bytes);
    await until(
      () => {
        const packet = ip4(open.v4, other.v4, 17, datagram(PORT, "FENCE"));
        fence.send(frame(other.mac, open.mac, "0800", packet));
        heard += ears[to].heard().join("\n");
        passed += ears.other.heard().join("\n");
        const found = Object.keys(frames).filter((name) => heard.includes(`(${name})`));
        return passed.includes("FENCE") && found.length >= wanted;
      },
      () => `${wanted} of ${heard}`,
    );
    heard += ears[to].heard().join("\n");
  } finally {
    mouth.close();
    fence.close();
  }
  return Object.keys(frames).filter((name) => heard.includes(`(${name})`));
}

describe("where it is known what was enforced", () => {
  test("nothing reaches it from neighbours on its bridge, however they send it", async () => {
    const all = Object.keys(ways(workload("shut"), workload("cut")));
    expect(await arriving("shut", "cut", all.length)).toEqual(all);
    const lockdown = { addresses: addressesOf("shut", "cut"), forwarding: false };
    expect(await wall.raise(lockdown)).toEqual([]);
    // A network's own broadcast address in a frame to everybody is a group by its frame.
    expect(await arriving("shut", "cut", 0)).toEqual([]);
    expect(await arriving("open", "cut", 0)).toEqual([]);
  });

  test("those who were not enforced speak to each other and to the machine", async () => {
    const lockdown = { addresses: addressesOf("shut", "cut"), forwarding: false };
    expect(await wall.raise(lockdown)).toEqual([]);
    reaches(workload("open").netns, workload("other").v4);
    reaches(workload("open").netns, workload("other").v6);
    reaches(workload("open").netns, workload("far").v4);
    reaches(workload("open").netns, "10.86.0.1");
    reachesNot(workload("shut").netns, "10.86.0.1");
  });
});
