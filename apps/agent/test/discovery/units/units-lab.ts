/** A lab for units: a namespace, control groups of its own, and programs in them that open sockets when told to. */
import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { createCgroups, type TestCgroups } from "../../cgroups.ts";
import { createLab, type NetnsLab } from "../../kernel/netns-lab.ts";

export interface Program {
  readonly pid: number;
  /** `listen PORT HOST`, `only6 PORT`, `udp PORT HOST`, `connect PORT`, `title TEXT`, `uid NUMBER`; resolves when it is done. */
  tell(line: string): Promise<void>;
  end(): Promise<void>;
}

export interface UnitsLab {
  readonly groups: TestCgroups;
  readonly netns: NetnsLab;
  /** Path of the namespace that all programs are in. */
  readonly path: string;
  /** Starts one in this control group, in that namespace or another. */
  start(group: string, netns?: string): Promise<Program>;
  close(): void;
}

const PROGRAM = `
  import { connect, createServer } from "node:net";
  import { createSocket } from "node:dgram";
  import { createInterface } from "node:readline";
  const kept = [];
  const done = () => console.log("done");
  done();
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, first, second] = line.split(" ");
    if (what === "listen") kept.push(createServer((peer) => kept.push(peer)).listen(Number(first), second, done));
    if (what === "only6") kept.push(createServer().listen({ port: Number(first), host: "::", ipv6Only: true }, done));
    if (what === "connect") kept.push(connect({ port: Number(first), host: "127.0.0.1" }, done));
    if (what === "udp") { const socket = createSocket("udp4"); kept.push(socket); socket.bind(Number(first), second, done); }
    if (what === "title") { process.title = first; done(); }
    if (what === "uid") { process.setgid(Number(first)); process.setuid(Number(first)); done(); }
  }
`;

export function createUnitsLab(suffix = ".slice"): UnitsLab {
  const netns = createLab();
  const groups = createCgroups("bhc", suffix);
  const home = netns.addNetns("u");
  return {
    groups,
    netns,
    path: `/run/netns/${home}`,
    async start(group, where = home) {
      const child: ChildProcess = netns.node(where, PROGRAM);
      // In its namespace by now: who is elsewhere for a moment more is taken for somebody of elsewhere.
      await once(child.stdout!, "data");
      groups.put(child.pid!, group);
      return {
        pid: child.pid!,
        async tell(line) {
          child.stdin!.write(`${line}\n`);
          await once(child.stdout!, "data");
        },
        async end() {
          child.kill("SIGKILL");
          await once(child, "exit");
        },
      };
    },
    close() {
      netns.close();
      groups.close();
    },
  };
}
