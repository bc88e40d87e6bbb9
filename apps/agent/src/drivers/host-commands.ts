/**
 * The driver's hands: runs nft and reads or writes kernel settings, in the agent's own network namespace or in one
 * named by path. Nothing here knows what the text means.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readLinks } from "../discovery/rtnetlink.ts";
import { NETLINK_ROUTE, openNetlink } from "../kernel/netlink-socket.ts";
import { insideNetns } from "../kernel/netns.ts";
import { start } from "./started-command.ts";
import type { CommandResult, Started } from "./started-command.ts";

export interface HostCommands {
  nft(args: readonly string[], input?: string): Promise<CommandResult>;
  /**
   * Loads this text, by an nft that was started before and waits for it where there is one: 1.5 ms, and 40 to start one from a
   * process of our size on a busy machine. It reads what there is, of rules and of control groups, after its input.
   */
  nftAtOnce(input: string): Promise<CommandResult>;
  /** Starts the one that waits. It ends with this process. */
  getReady(): void;
  /**
   * As `nft`, where it finds no control groups: it lists them as numbers then. Of each number that it prints it would else
   * look for the path in the whole tree: 12.6 s for 500 of them, and 0.01 s without.
   */
  nftBlind(args: readonly string[]): Promise<CommandResult>;
  /** The setting's text without the newline, or null where this kernel has no such setting. */
  readSetting(name: string): string | null;
  writeSetting(name: string, value: string): void;
  /** The network interfaces that are there now: numbers by name. */
  interfaces(): ReadonlyMap<string, number>;
}

/** Longer than the largest ruleset takes on the slowest machine; who waits for ever enforces nothing new. */
const PATIENCE_MS = 120_000;

const LOAD = ["nft", "-f", "-"];

/** An empty folder in front of the control groups, for this one command. */
const BLIND = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mount -t tmpfs -o size=4k none /sys/fs/cgroup && exec nft "$@"',
  "nft",
];

const settingPath = (name: string): string => `/proc/sys/${name.replaceAll(".", "/")}`;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

const readSetting = (name: string): string | null => {
  try {
    return readFileSync(settingPath(name), "utf8").trim();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
};

const writeSetting = (name: string, value: string): void => writeFileSync(settingPath(name), value);

const interfaces = (): ReadonlyMap<string, number> => {
  const socket = openNetlink(NETLINK_ROUTE);
  try {
    return new Map(readLinks(socket).map(({ name, ifindex }) => [name, ifindex]));
  } finally {
    socket.close();
  }
};

/**
 * `netns`: path of a network namespace; absent = the agent's own. What lies under /proc/sys/net belongs to the namespace of
 * the thread that opens it, hence synchronous reads and writes.
 */
export const createHostCommands = (netns?: string, patienceMs = PATIENCE_MS): HostCommands => {
  const begin = (words: readonly string[]): Started => {
    const [command = "nft", ...args] =
      netns === undefined ? words : ["nsenter", `--net=${netns}`, ...words];
    return start(command, args);
  };
  const run = (words: readonly string[], input?: string): Promise<CommandResult> =>
    begin(words).tell(input, patienceMs);
  let ready: Started | undefined;
  const inside = <T>(work: () => T): T => (netns === undefined ? work() : insideNetns(netns, work));
  return {
    nft: (args, input) => run(["nft", ...args], input),
    nftAtOnce: (input) => {
      const waiting = ready?.ended === false ? ready : begin(LOAD);
      ready = undefined;
      return waiting.tell(input, patienceMs);
    },
    getReady: () => {
      if (ready?.ended === false) return;
      ready = begin(LOAD);
      ready.rest();
    },
    nftBlind: (args) => run([...BLIND, ...args]),
    readSetting: (name) => inside(() => readSetting(name)),
    writeSetting: (name, value) => inside(() => writeSetting(name, value)),
    interfaces: () => inside(interfaces),
  };
};
