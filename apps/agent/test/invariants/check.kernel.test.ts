/** What a machine must be able to do, tried against real servers: while they answer, and once something is in between. */
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Invariant, InvariantCheck } from "@bulkhead/model";
import { createLab, until, type LabEnd, type NetnsLab } from "../kernel/netns-lab.ts";

const SERVERS = `
  import { createSocket } from "node:dgram";
  import { createServer } from "node:net";
  const serve = (port, answer) =>
    new Promise((resolve) => {
      const socket = createSocket("udp4");
      socket.on("message", (question, from) => {
        const said = answer(question);
        if (said !== null) socket.send(said, from.port, from.address);
      });
      socket.bind(port, resolve);
    });
  await serve(53, (question) => { question.writeUInt16BE(0x8180, 2); return question; });
  await serve(54, () => null);
  await serve(55, (question) => { question.writeUInt16BE(0x8182, 2); return question; });
  await serve(67, (question) => { question[0] = 2; return question; });
  await serve(123, (question) => {
    const answer = Buffer.alloc(48);
    answer[0] = 0x24;
    question.copy(answer, 24, 40, 48);
    return answer;
  });
  createServer().listen(443, "::", () => console.log("ready"));
`;
const CHECK = `
  import { checkInvariants } from ${JSON.stringify(join(import.meta.dirname, "../../src/invariants/index.ts"))};
  const invariants = JSON.parse(process.argv.at(-1));
  console.log(JSON.stringify(await checkInvariants({ invariants, found: false }, () => [])));
`;
/** A session on which the machine speaks all the time. */
const SPEAKS = `
  import { createServer } from "node:net";
  createServer((socket) => {
    socket.on("error", () => undefined);
    setInterval(() => socket.write("x"), 50);
  }).listen(2222, "::", () => console.log("ready"));
`;
const HEARS = `
  import { connect } from "node:net";
  connect(2222, process.argv.at(-1)).once("data", () => console.log("heard")).resume();
`;

const SHUT = `table inet t {
  chain f { type filter hook forward priority 0; policy drop;
  }
}
`;

let lab: NetnsLab;
let machine: LabEnd;
let servers: LabEnd;
beforeEach(() => {
  lab = createLab();
  machine = lab.addEnd("machine");
  servers = lab.addEnd("servers");
});
afterEach(() => lab.close());

async function check(...invariants: readonly Invariant[]): Promise<readonly InvariantCheck[]> {
  const program = lab.node(machine.netns, CHECK, JSON.stringify(invariants));
  let said = "";
  program.stdout!.on("data", (text: Buffer) => (said += text.toString()));
  await once(program, "close");
  return JSON.parse(said) as readonly InvariantCheck[];
}

test("servers that answer hold; silence, refusal and rules in between do not, and take no longer", async () => {
  await once(lab.node(servers.netns, SERVERS).stdout!, "data");
  const at = (kind: Invariant["kind"], port: number, address = servers.v4): Invariant => ({
    kind,
    address,
    port,
  });
  const asked = [
    at("dns", 53),
    at("ntp", 123),
    at("dhcp", 67),
    at("metadata", 443),
    at("connect", 443, servers.v6),
    at("dns", 54),
    at("dns", 55),
    at("connect", 444),
    at("connect", 443, "203.0.113.1"),
  ];
  const found = await check(...asked);
  expect(found.map(({ kind, port, address }) => ({ kind, address, port }))).toEqual(asked);
  const held = found.map(({ outcome }) => outcome === "held");
  expect(held).toEqual([true, true, true, true, true, false, false, false, false]);
  const { v4, v6 } = machine;
  expect(found.slice(0, 5).map(({ local }) => local)).toEqual([v4, v4, v4, v4, v6]);
  expect(found[5]?.detail).toMatch(/no answer within/);
  expect(found[6]?.detail).toBe("it answers that it cannot tell");
  expect(found[7]?.detail).toMatch(/ECONNREFUSED/);

  lab.load(lab.router, SHUT);
  const shut = await check(...asked.slice(0, 5));
  expect(shut.map(({ outcome }) => outcome)).toEqual(shut.map(() => "failed"));
});

test("an SSH session holds until what is sent on it is no longer heard; without one nothing is told", async () => {
  const session: Invariant = { kind: "ssh", address: servers.v4, port: 2222 };
  expect(await check(session)).toMatchObject([{ outcome: "untold" }]);
  await once(lab.node(machine.netns, SPEAKS).stdout!, "data");
  await once(lab.node(servers.netns, HEARS, machine.v4).stdout!, "data");
  expect(await check(session)).toMatchObject([{ outcome: "held", local: machine.v4 }]);
  lab.load(lab.router, SHUT);
  await until("it is stuck", () =>
    /timer:\(on,[^)]*,[3-9]\)/.test(lab.run(machine.netns, "ss", "-tno", "sport", "=", ":2222")),
  );
  expect(await check(session)).toMatchObject([
    { outcome: "failed", detail: "what is sent does not arrive" },
  ]);
});
