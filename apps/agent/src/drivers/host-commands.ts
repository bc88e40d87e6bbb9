/**
 * The driver's hands: runs nft and reads or writes kernel settings, in the agent's own network namespace or in one
 * named by path. Nothing here knows what the text means.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { readLinks } from "../discovery/rtnetlink.ts";
import { NETLINK_ROUTE, openNetlink } from "../kernel/netlink-socket.ts";
import { insideNetns } from "../kernel/netns.ts";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HostCommands {
  nft(args: readonly string[], input?: string): Promise<CommandResult>;
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

const run = (
  command: string,
  args: readonly string[],
  input: string | undefined,
  patienceMs: number,
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      // Whoever it started may hold its pipes open, and they this process.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
      const stderr = `nft did not end within ${patienceMs / 1000} s`;
      resolve({ code: 1, stdout: "", stderr });
    }, patienceMs);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    // A command that ends before it has read its input says why on stderr; the broken pipe itself is no news.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(late);
      resolve({
        code: code ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: `${Buffer.concat(err).toString()}${signal === null ? "" : `${command} was ended by ${signal}`}`,
      });
    });
    child.stdin.end(input ?? "");
  });

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
  const start = (words: readonly string[], input?: string): Promise<CommandResult> => {
    const [command = "nft", ...args] =
      netns === undefined ? words : ["nsenter", `--net=${netns}`, ...words];
    return run(command, args, input, patienceMs);
  };
  const inside = <T>(work: () => T): T => (netns === undefined ? work() : insideNetns(netns, work));
  return {
    nft: (args, input) => start(["nft", ...args], input),
    nftBlind: (args) => start([...BLIND, ...args]),
    readSetting: (name) => inside(() => readSetting(name)),
    writeSetting: (name, value) => inside(() => writeSetting(name, value)),
    interfaces: () => inside(interfaces),
  };
};
