/** Whose socket is at an end, as the kernel says in front of what happened, is in the record of that connection and of no other. */
import { TCP, UDP } from "@bulkhead/model";
import { expect, test } from "vitest";
import type { CollectedRecord } from "../../src/collector/index.ts";
import { until } from "../kernel/netns-lab.ts";
import { a, b, find, GROUP, lab, python, start, sum, useCollectorLab } from "./collector-lab.ts";

useCollectorLab();

/** Two processes that send to one port, and one that the kernel knows nothing of. */
const RULES = `table inet notes {
  chain forward {
    type filter hook forward priority -1
    tcp dport 7778 ct state new log prefix "bh1 P e 0a0b0c01" group ${GROUP}
    udp sport 1001 ct state new log prefix "bh1 P e 0a0b0c01" group ${GROUP}
    udp sport 1002 ct state new log prefix "bh1 P e fa0b0c02" group ${GROUP}
    udp sport 1002 ct state new log prefix "bh1 P i 0a0b0c03" group ${GROUP}
  }
}
`;

test("connections alike but for their processes are told apart", async () => {
  lab.load(lab.router, RULES);
  start();
  python(
    a,
    `
import socket
for port in (1001, 1002, 1003):
  s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.bind(("${a.v4}", port))
  s.sendto(b"x", ("${b.v4}", 7777))
`,
  );
  const flows = { protocol: UDP, port: 7777 };
  await until("all of them", () => sum("connections", flows) === 3);
  const told = (find(flows) as readonly CollectedRecord[])
    .filter(({ connections }) => connections > 0)
    .map(({ sourcePort, connections, sourceHandle, destinationHandle }) => ({
      sourcePort,
      connections,
      sourceHandle,
      destinationHandle,
    }));
  expect(told.toSorted((x, y) => x.sourcePort - y.sourcePort)).toEqual([
    { sourcePort: 1001, connections: 1, sourceHandle: "0a0b0c01" },
    { sourcePort: 1002, connections: 1, sourceHandle: "fa0b0c02", destinationHandle: "0a0b0c03" },
    { sourcePort: 1003, connections: 1 },
  ]);
  // What is refused ends before the kernel has handed over whose it was.
  const refused = { protocol: TCP, port: 7778 };
  for (let round = 1; round <= 2; round += 1) {
    python(
      a,
      `
import socket
try: socket.create_connection(("${b.v4}", 7778), timeout=5)
except ConnectionRefusedError: pass
`,
    );
    await until("it has failed", () => sum("failed", refused) === round);
  }
  expect(new Set(find(refused).map((one: CollectedRecord) => one.sourceHandle))).toEqual(
    new Set(["0a0b0c01"]),
  );
  lab.run(lab.router, "nft", "delete", "table", "inet", "notes");
});
