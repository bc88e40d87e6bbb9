/**
 * Taking over a live machine: connections that are older than our rules are put into conntrack with their true direction,
 * before conntrack sees their next packet and guesses. A connection whose local port is listened on came in; any other
 * went out. Both ends of a connection between two workloads say the same, so it is entered once.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { insideNetns } from "../kernel/netns.ts";
import { TCP_ESTABLISHED, TCP_LISTEN, parseProcNet } from "../link/proc-net.ts";
import type { ProcSocket } from "../link/proc-net.ts";

/** Conntrack's own life of an idle established connection, seconds (nf_conntrack_tcp_timeout_established). */
const LIFE_SECONDS = 432_000;

interface Connection {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

/** The TCP connections of one namespace, from the client to the server. */
export const connectionsOf = (sockets: readonly ProcSocket[]): readonly Connection[] => {
  const listening = new Set(
    sockets.filter(({ state }) => state === TCP_LISTEN).map(({ localPort }) => localPort),
  );
  return sockets
    .filter(({ state, local }) => state === TCP_ESTABLISHED && !isLoopback(local))
    .map(({ local, localPort, remote, remotePort }) =>
      listening.has(localPort)
        ? { source: remote, sourcePort: remotePort, destination: local, destinationPort: localPort }
        : {
            source: local,
            sourcePort: localPort,
            destination: remote,
            destinationPort: remotePort,
          },
    );
};

/** A line that `conntrack -R` loads. */
const lineOf = ({ source, sourcePort, destination, destinationPort }: Connection): string =>
  [
    `-A -t ${LIFE_SECONDS} -u SEEN_REPLY,ASSURED`,
    `-s ${source} -d ${destination} -r ${destination} -q ${source}`,
    `-p tcp --sport ${sourcePort} --dport ${destinationPort}`,
    `--reply-port-src ${destinationPort} --reply-port-dst ${sourcePort} --state ESTABLISHED`,
  ].join(" ");

const socketsIn = (netnsPath: string): readonly ProcSocket[] =>
  insideNetns(netnsPath, () =>
    (["tcp", "tcp6"] as const).flatMap((file) =>
      parseProcNet(readFileSync(`/proc/thread-self/net/${file}`, "utf8"), file === "tcp" ? 4 : 6),
    ),
  );

const loadInto = (netns: string | undefined, lines: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    // conntrack opens its input by name, which a pipe allows and Node's socket to a child does not.
    const load = ["sh", "-c", "cat | conntrack -R -"];
    const [command = "", ...args] =
      netns === undefined ? load : ["nsenter", `--net=${netns}`, ...load];
    const child = spawn(command, args, { stdio: ["pipe", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.on("error", reject);
    child.stdin.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`conntrack could not take the connections: ${said.trim()}`)),
    );
    child.stdin.end(`${lines.join("\n")}\n`);
  });

/**
 * Enters the TCP connections of the given namespaces into conntrack and returns how many. A namespace that has
 * vanished has none; entries that conntrack has already stay as they are.
 */
export const seedConnections = async (
  netnsPaths: readonly string[],
  netns?: string,
): Promise<number> => {
  const lines = new Set<string>();
  for (const path of netnsPaths) {
    try {
      for (const connection of connectionsOf(socketsIn(path))) lines.add(lineOf(connection));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  if (lines.size > 0) await loadInto(netns, [...lines]);
  return lines.size;
};
