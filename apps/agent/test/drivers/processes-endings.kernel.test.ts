/**
 * How a connection of processes ends over loopback: whoever closed first has no full socket any more when the last words are
 * said. Were they dropped, the other end would keep repeating its own for minutes, and denials would be told of that are none.
 */
import { expect, test } from "vitest";
import { ALLOW, DROP, rowOf } from "./policies.ts";
import { host, onEveryDriverInProcessesLab, told } from "./processes-lab.ts";

const PORT = 7400;
const CLOSING = ["04", "05", "08", "09", "0B"];

/** Makes the sockets of both ends in their groups, closes the caller's or the other first, and prints what is not over after some seconds. */
const PROGRAM = `
import os, socket, sys, time
server, client, home, address, port = sys.argv[1:6]
def enter(group):
    with open(group + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
family = socket.AF_INET6 if ":" in address else socket.AF_INET
enter(server)
listener = socket.socket(family, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((address, int(port)))
listener.listen()
enter(client)
for turn in range(4):
    caller = socket.socket(family, socket.SOCK_STREAM)
    caller.settimeout(20)
    caller.connect((address, int(port)))
    called, _ = listener.accept()
    caller.sendall(b"x")
    called.recv(1)
    first, second = (caller, called) if turn % 2 == 0 else (called, caller)
    first.close()
    second.recv(1)
    # Later than the kernel waits to say both at once that the one was heard and that the other ends.
    time.sleep(0.1 if turn < 2 else 0)
    second.close()
enter(home)
listener.close()
def closing():
    lines = open("/proc/self/net/tcp").readlines()[1:] + open("/proc/self/net/tcp6").readlines()[1:]
    states = [line.split()[3] for line in lines if format(int(port), "04X") in line]
    return [state for state in states if state in sys.argv[6].split(",")]
end = time.monotonic() + 10
while closing() and time.monotonic() < end:
    time.sleep(0.02)
print(",".join(closing()))
`;

onEveryDriverInProcessesLab(() => {
  test.each(["127.0.0.1", "::1"])("the last words pass, by %s", async (address) => {
    const all = rowOf(ALLOW);
    await host.driver.apply(
      host.policy(
        [
          { direction: "egress", subjects: [], processes: ["host/client"], defaultRow: all },
          {
            direction: "ingress",
            subjects: [],
            processes: ["host/server"],
            peers: [["host/client", all]],
            defaultRow: rowOf(DROP),
          },
        ],
        { sockets: told(PORT), managed: [host.groups.root] },
      ),
    );
    const folders = [host.server, host.client].map((group) => host.groups.folder(group));
    const home = host.groups.folder("/");
    const command = ["python3", "-c", PROGRAM, ...folders, home, address, `${PORT}`];
    expect(host.lab.run(host.lab.host, [...command, CLOSING.join(",")]).trim()).toBe("");
    const met = (await host.driver.counters()).filter(
      (one) => one.packets > 0 && one.kind === "leaf",
    );
    expect(new Set(met.map((one) => one.kind === "leaf" && one.verdict))).toEqual(
      new Set(["allow"]),
    );
  });
});
