/** A program in two steps: it is started, and given its input later, so that what is urgent need not wait for the start. */
import { spawn } from "node:child_process";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that has been started and waits for its input. */
export interface Started {
  readonly ended: boolean;
  /** Gives it the input, once, and waits for its end. */
  tell(input: string | undefined, patienceMs: number): Promise<CommandResult>;
  /** Keeps nobody from ending, until it is told something; it ends with us, having done nothing. */
  rest(): void;
}

export const start = (command: string, args: readonly string[]): Started => {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const pipes = [child.stdin, child.stdout, child.stderr];
  const hold = (busy: boolean): void => {
    for (const one of [child, ...pipes] as { ref(): void; unref(): void }[]) {
      if (busy) one.ref();
      else one.unref();
    }
  };
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let ended = false;
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
  const end = new Promise<CommandResult>((resolve, reject) => {
    child.on("error", reject);
    // A command that ends before it has read its input says why on stderr; the broken pipe itself is no news.
    child.stdin.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") reject(error);
    });
    child.on("close", (code, signal) => {
      resolve({
        code: code ?? 1,
        stdout: Buffer.concat(out).toString(),
        stderr: `${Buffer.concat(err).toString()}${signal === null ? "" : `${command} was ended by ${signal}`}`,
      });
    });
  }).finally(() => {
    ended = true;
  });
  // Whoever tells it something hears of it.
  end.catch(() => undefined);
  return {
    get ended() {
      return ended;
    },
    async tell(input, patienceMs) {
      hold(true);
      let late: NodeJS.Timeout | undefined;
      const tooLong = new Promise<CommandResult>((resolve) => {
        late = setTimeout(() => {
          child.kill("SIGKILL");
          // Whoever it started may hold its pipes open, and they this process.
          for (const pipe of pipes) pipe.destroy();
          const stderr = `nft did not end within ${patienceMs / 1000} s`;
          resolve({ code: 1, stdout: "", stderr });
        }, patienceMs);
      });
      child.stdin.end(input ?? "");
      try {
        return await Promise.race([end, tooLong]);
      } finally {
        clearTimeout(late);
      }
    },
    rest: () => hold(false),
  };
};
