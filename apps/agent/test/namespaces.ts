/**
 * Throw-away network namespaces for tests and benchmarks: made under one random prefix, joined by veth pairs, and removed
 * together with all that was started inside, also when the process ends early. What stands in them is for others to say.
 */
import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";

/** One end of a veth pair. */
export interface VethEnd {
  /** A namespace's name, or the id of a process in it. */
  readonly netns: string | number;
  readonly device: string;
  readonly mac?: string;
}

export interface Namespaces {
  readonly prefix: string;
  /** Makes `PREFIX-NAME` with its loopback up and returns that name. */
  add(name: string, settings?: readonly string[]): string;
  /** Joins two namespaces; both ends are still down. */
  veth(one: VethEnd, other: VethEnd): void;
  /** Runs a command inside and returns its output; throws when it fails. */
  run(netns: string, command: readonly string[], input?: string): string;
  /** Starts a command inside; it is killed by `close` at the latest. */
  start(netns: string, command: readonly string[]): ChildProcessWithoutNullStreams;
  close(): void;
}

export const netnsPath = (netns: string): string => `/run/netns/${netns}`;

/** `prefix`: what the random part is added to. */
export function createNamespaces(prefix: string): Namespaces {
  const id = `${prefix}-${randomBytes(3).toString("hex")}`;
  const names: string[] = [];
  const children: ChildProcessWithoutNullStreams[] = [];
  const close = (): void => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    for (const name of names.splice(0).toReversed()) execute("ip", ["netns", "delete", name]);
    process.off("exit", close);
  };
  const run: Namespaces["run"] = (netns, command, input) =>
    execute("nsenter", [`--net=${netnsPath(netns)}`, ...command], input);
  // Also when the process ends early, on Ctrl-C for one.
  process.on("exit", close);
  return {
    prefix: id,
    add(name, settings = []) {
      const netns = `${id}-${name}`;
      execute("ip", ["netns", "add", netns]);
      names.push(netns);
      // Addresses are ours alone: no need to wait a second for a duplicate to speak up.
      const prompt = ["all", "default"].map((which) => `net.ipv6.conf.${which}.accept_dad=0`);
      run(netns, ["sysctl", "-qw", ...prompt, ...settings]);
      run(netns, ["ip", "link", "set", "lo", "up"]);
      return netns;
    },
    veth(one, other) {
      execute("ip", ["link", "add", ...placeOf(one), "type", "veth", "peer", ...placeOf(other)]);
    },
    run,
    start(netns, command) {
      const child = spawn("nsenter", [`--net=${netnsPath(netns)}`, ...command]);
      children.push(child);
      return child;
    },
    close,
  };
}

function placeOf({ netns, device, mac }: VethEnd): readonly string[] {
  return ["name", device, "netns", String(netns), ...(mac === undefined ? [] : ["address", mac])];
}

function execute(command: string, args: readonly string[], input?: string): string {
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });
}
