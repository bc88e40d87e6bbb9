/**
 * The driver's hands: runs nft and reads or writes kernel settings, in the agent's own network namespace or in one
 * named by path. Nothing here knows what the text means.
 */
import { spawn } from "node:child_process";
import { access, readFile, writeFile } from "node:fs/promises";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HostCommands {
  nft(args: readonly string[], input?: string): Promise<CommandResult>;
  /** The setting's text without the newline, or null where this kernel has no such setting. */
  readSetting(name: string): Promise<string | null>;
  writeSetting(name: string, value: string): Promise<void>;
}

const run = (
  command: string,
  args: readonly string[],
  input: string | undefined,
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", reject);
    // A command that ends before it has read its input says why on stderr; the broken pipe itself is no news.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.on("close", (code, signal) =>
      resolve({
        code: code ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: `${Buffer.concat(err).toString()}${signal === null ? "" : `${command} was ended by ${signal}`}`,
      }),
    );
    child.stdin.end(input ?? "");
  });

const settingPath = (name: string): string => `/proc/sys/${name.replaceAll(".", "/")}`;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

const ownNamespace: HostCommands = {
  nft: (args, input) => run("nft", args, input),
  readSetting: async (name) => {
    try {
      return (await readFile(settingPath(name), "utf8")).trim();
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  },
  writeSetting: (name, value) => writeFile(settingPath(name), value),
};

/** Settings under /proc/sys/net belong to the namespace of the process that opens them, hence the helpers. */
const otherNamespace = (path: string): HostCommands => {
  const inside = (command: readonly string[], input?: string): Promise<CommandResult> =>
    run("nsenter", [`--net=${path}`, ...command], input);
  return {
    nft: (args, input) => inside(["nft", ...args], input),
    readSetting: async (name) => {
      const { code, stdout } = await inside(["cat", settingPath(name)]);
      if (code === 0) return stdout.trim();
      await access(path);
      return null;
    },
    writeSetting: async (name, value) => {
      const { code, stderr } = await inside(["tee", settingPath(name)], value);
      if (code !== 0) throw new Error(`cannot set ${name}: ${stderr.trim()}`);
    },
  };
};

/** `netns`: path of a network namespace; absent = the agent's own. */
export const createHostCommands = (netns?: string): HostCommands =>
  netns === undefined ? ownNamespace : otherNamespace(netns);
