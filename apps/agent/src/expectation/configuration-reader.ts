/**
 * Has configuration read by a process that may be ended, so that no file can hold up the agent. An owner whose files do not
 * answer is passed over and told of, and is the last to be read next time: nobody keeps others from being read for long.
 */
import { fork, type ChildProcess } from "node:child_process";
import type { ConfigurationSource, FoundDependency } from "@bulkhead/wire";
import { inTurns, type ConfiguredOwner } from "./configuration.ts";
import type { ReadMessage, ReadOrder } from "./configuration-program.ts";

export interface ConfigurationReader {
  read(owners: readonly ConfiguredOwner[], sources: readonly ConfigurationSource[]): Promise<Read>;
  stop(): void;
}

export interface Read {
  readonly dependencies: readonly FoundDependency[];
  readonly problems: readonly string[];
}

export interface ReaderOptions {
  readonly proc?: string;
  /** So long one owner's files may take. */
  readonly patienceMs?: number;
  readonly program?: URL;
}

const PATIENCE_MS = 5000;
/** For a process to begin, on a machine that has much to do. */
const BEGIN_MS = 30_000;
/** In one look. */
const MOST_HELD_UP = 3;
/** Ended, and still waiting for their file: the kernel does not let go of them. */
const MOST_LINGERING = 8;
const PROGRAM = new URL("configuration-program.ts", import.meta.url);

export function createConfigurationReader(options: ReaderOptions = {}): ConfigurationReader {
  const { proc = "/proc", patienceMs = PATIENCE_MS, program = PROGRAM } = options;
  const children = new Set<ChildProcess>();
  let heldUp: ReadonlySet<string> = new Set();
  let stopped = false;

  /** Reads as far as it gets: how many owners, and why it ended there. */
  function readSome(
    owners: readonly ConfiguredOwner[],
    sources: readonly ConfigurationSource[],
    found: (readonly FoundDependency[])[],
    problems: string[],
  ): Promise<number> {
    return new Promise((resolve) => {
      const child = fork(program, {
        execArgv: ["--disable-warning=ExperimentalWarning"],
        env: {},
        stdio: ["ignore", "ignore", "ignore", "ipc"],
      });
      children.add(child);
      let read = 0;
      let timer = setTimeout(end, BEGIN_MS);
      function end(): void {
        clearTimeout(timer);
        child.removeAllListeners("message");
        child.kill("SIGKILL");
        if (child.connected) child.disconnect();
        // Not waited for: one that hangs in the kernel ends when its file answers.
        child.unref();
        resolve(read);
      }
      child.on("message", (message: ReadMessage) => {
        clearTimeout(timer);
        timer = setTimeout(end, patienceMs);
        const owner = owners[read];
        if (owner === undefined || message.kind === "ready") return;
        read += 1;
        if (message.kind === "read") found.push(message.found);
        else problems.push(`configuration of ${nameOf(owner)} could not be read: ${message.why}`);
        if (read === owners.length) end();
      });
      const ended = (): void => {
        children.delete(child);
        end();
      };
      child.once("error", ended);
      child.once("exit", ended);
      child.send({ owners, sources, proc } satisfies ReadOrder, () => undefined);
    });
  }

  return {
    async read(owners, sources) {
      const found: (readonly FoundDependency[])[] = [];
      const problems: string[] = [];
      const held = new Set<string>();
      let left: readonly ConfiguredOwner[] = owners.toSorted(
        (a, b) => Number(heldUp.has(nameOf(a))) - Number(heldUp.has(nameOf(b))),
      );
      while (sources.length > 0 && left.length > 0) {
        if (stopped) break;
        if (held.size >= MOST_HELD_UP || children.size >= MOST_LINGERING) {
          problems.push(
            `configuration of ${left.length} more is not read: too many files do not answer`,
          );
          break;
        }
        left = left.slice(await readSome(left, sources, found, problems));
        const [first] = left;
        if (first === undefined || stopped) break;
        problems.push(
          `configuration of ${nameOf(first)} is not read: it did not answer within ${patienceMs / 1000} s`,
        );
        held.add(nameOf(first));
        left = left.slice(1);
      }
      heldUp = new Set([...held, ...left.map(nameOf).filter((name) => heldUp.has(name))]);
      return { dependencies: inTurns(found), problems };
    },
    stop() {
      stopped = true;
      for (const child of children) child.kill("SIGKILL");
    },
  };
}

const nameOf = ({ owner }: ConfiguredOwner): string =>
  owner.kind === "unit" ? owner.cgroup : `link ${owner.interface}`;
