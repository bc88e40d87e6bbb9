/** What a machine lives by, from the files that set it up; and what counts as an answer to the questions it asks. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configuredHere, invariantsFound } from "../../src/invariants/found.ts";
import { questionFor } from "../../src/invariants/questions.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lockout-root-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe("what is found", () => {
  test("nothing on a machine without any of it", () => {
    expect(configuredHere(root)).toEqual({ dns: [], ntp: [], dhcp: [], metadata: [] });
  });

  test("resolvers, time servers, servers of leases, and the metadata of a cloud", () => {
    file(
      "etc/resolv.conf",
      "# who\nnameserver 127.0.0.53\nnameserver FE80::1%eth0\nsearch a\noptions ndots:1\n",
    );
    file("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\nnameserver 2001:DB8::1\n");
    file("etc/systemd/timesyncd.conf", "[Time]\n#NTP=no.example\nNTP=10.0.0.2 time.example\n");
    file("etc/chrony/sources.d/dhcp.sources", "server 10.0.0.3 iburst\n");
    file("etc/chrony/chrony.conf", "pool pool.example iburst # four\n! server old\n");
    file("run/systemd/netif/leases/2", "ADDRESS=10.0.0.9\nSERVER_ADDRESS=10.0.0.4\n");
    file(
      "var/lib/dhcp/dhclient.eth1.leases",
      "lease {\n option dhcp-server-identifier 10.0.0.5;\n}\nlease {\n option dhcp-server-identifier 10.0.0.6;\n}\n",
    );
    file("run/cloud-init/status.json", "{}");
    expect(configuredHere(root)).toEqual({
      dns: ["127.0.0.53", "10.0.0.1", "2001:db8::1"],
      ntp: ["10.0.0.2", "time.example", "pool.example", "10.0.0.3"],
      dhcp: ["10.0.0.4", "10.0.0.6"],
      metadata: ["169.254.169.254"],
    });
  });

  test("each once, sessions by whom they come from; a name that nobody tells is left out", async () => {
    const session = (source: string) => ({
      source,
      destination: "10.0.0.9",
      protocol: 6,
      port: 22,
      what: "ssh session",
    });
    const configured = {
      dns: ["10.0.0.1", "10.0.0.1"],
      ntp: ["10.0.0.2", "nobody.invalid"],
      dhcp: [],
      metadata: [],
    };
    // Nobody listens at the resolver's address here: 10.0.0.1 is replaced by a closed port of this machine.
    const closed = { ...configured, dns: ["127.255.255.1"] };
    const found = await invariantsFound(closed, [session("192.0.2.7"), session("192.0.2.7")]);
    expect(found).toEqual([
      { kind: "ssh", address: "192.0.2.7", port: 22 },
      { kind: "dns", address: "127.255.255.1", port: 53 },
      { kind: "ntp", address: "10.0.0.2", port: 123 },
    ]);
  });
});

describe("what counts as an answer", () => {
  const asker = { id: 0x12345678, local: "10.0.0.9", mac: "02:00:00:00:00:01" };

  test("of a resolver: to this question, and not that it cannot tell", () => {
    const { datagram, judge } = questionFor("dns", asker);
    expect(datagram.toString("hex")).toBe("5678010000010000000000000000020001");
    const answer = (flags: number, id = 0x5678): Buffer => {
      const copy = Buffer.from(datagram);
      copy.writeUInt16BE(id, 0);
      copy.writeUInt16BE(flags, 2);
      return copy;
    };
    expect(judge(answer(0x8180))).toEqual({});
    expect(judge(answer(0x8185))).toEqual({}); // refused, but there
    expect(judge(answer(0x8182))).toEqual({ detail: "it answers that it cannot tell" });
    expect(judge(answer(0x8180, 1))).toBeNull();
    expect(judge(datagram)).toBeNull();
    expect(judge(Buffer.alloc(3))).toBeNull();
  });

  test("of a time server: with our time of sending", () => {
    const { datagram, judge } = questionFor("ntp", asker);
    const answer = Buffer.alloc(48);
    answer[0] = 0x24;
    expect(judge(answer)).toBeNull();
    datagram.copy(answer, 24, 40, 48);
    expect(judge(answer)).toEqual({});
    expect(judge(datagram)).toBeNull();
  });

  test("of a server of leases: to this question", () => {
    const { datagram, judge } = questionFor("dhcp", asker);
    expect(datagram.subarray(12, 16)).toEqual(Buffer.from([10, 0, 0, 9]));
    const answer = Buffer.from(datagram);
    expect(judge(answer)).toBeNull();
    answer[0] = 2;
    expect(judge(answer)).toEqual({});
    answer[4] = 0;
    expect(judge(answer)).toBeNull();
  });
});
