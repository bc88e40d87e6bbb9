/**
 * What each format's records mean, by the pages that its reader names. AWS has a file of its own, and so have captures; what
 * holds of all of them is in robust.test.ts.
 */
import { describe, expect, it } from "vitest";
import { readAs, shown } from "./reading.ts";
import { AZURE_GROUP, calicoFlow, GCP, SAMPLES } from "./samples.ts";

const AT = 1_760_000_000_000;
const sample = (name: string) => {
  const found = SAMPLES.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no sample ${name}`);
  return readAs(found.format, found.text, [], { at: AT });
};
const line = (format: Parameters<typeof readAs>[0], ...lines: readonly string[]) =>
  readAs(format, lines.join("\n"), [], { at: AT });

describe("Zeek", () => {
  it("tells outcomes by the state of the connection, and ICMP by its ports", () => {
    const told = sample("Zeek, tab-separated");
    expect(shown(told)).toEqual([
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/1/0 10p 820b",
      "10.0.1.5:40113 → 10.0.2.7 81/6 forwarded 1/0/1 2p 100b",
      "10.0.1.5:0 → 10.0.2.8 2048/1 forwarded 1/0/0 2p 168b",
    ]);
    expect(told.flows.map(({ start, end }) => end - start)).toEqual([1500, 0, 0]);
    expect(told.flows.map(({ origin }) => origin?.direction)).toEqual(["told", "told", "guessed"]);
  });

  it("has its columns and marks told by the file", () => {
    const told = line(
      "zeek",
      String.raw`#separator \x2c`,
      "#unset_field,NONE",
      "#fields,proto,id.resp_p,id.resp_h,id.orig_p,id.orig_h,ts,history",
      "tcp,443,10.0.0.2,50000,10.0.0.1,1767607200.5,^hA",
      "tcp,443,10.0.0.2,50000,10.0.0.1",
      "tcp,NONE,10.0.0.2,50000,10.0.0.1,1767607200.5,S",
      "weird,1,10.0.0.2,50000,10.0.0.1,1767607200.5,S",
      "icmp,3,10.0.0.2,3,10.0.0.1,1767607200.5,NONE",
    );
    expect(shown(told)).toEqual(["10.0.0.1:50000 → 10.0.0.2 443/6 forwarded 1/0/0 0p 0b"]);
    expect(told.flows[0]?.origin?.direction).toBe("guessed");
    expect(told.malformed.map(({ place, problem }) => `${place} ${problem}`)).toEqual([
      "5 5 fields, where 7 are expected",
      "6 no ports",
    ]);
    expect(told.others).toEqual(["an unknown protocol", "ICMP that is no echo"]);
    expect(line("zeek", "a\tb").malformed[0]?.problem).toBe("no `#fields` before it");
  });
});

describe("Envoy", () => {
  it("names the hop before it, and keeps neither query nor fragment", () => {
    const told = sample("Envoy, the default text");
    expect(shown(told)).toEqual([
      "10.0.1.5:0 → 10.0.2.6 8080/6 forwarded 1/1/0 0p 134b",
      "10.0.1.5:0 → 10.0.2.7 8080/6 forwarded 1/0/1 0p 91b",
    ]);
    expect(told.flows[0]?.request).toEqual({
      method: "POST",
      path: "/charge",
      host: "payments.shop",
      status: 200,
    });
    expect(JSON.stringify(told)).not.toContain("4111");
  });

  it("tells whom Istio's sidecar denied, what its TCP proxy carried, and who was called beside it", () => {
    const told = sample("Envoy, Istio's text");
    expect(shown(told)).toEqual([
      "10.44.1.23:37652 → 10.44.1.27 80/6 rejected 1/0/1 0p 19b",
      "10.44.1.23:46520 → 10.44.1.30 5432/6 forwarded 1/1/0 0p 5120b",
    ]);
    expect(told.flows[1]?.request).toBeUndefined();
    expect(shown(sample("Envoy, JSON"))).toEqual([
      "2001:db8::23:37652 → 10.44.1.27 80/6 forwarded 1/1/0 0p 512b",
    ]);
  });

  it("quotes nothing of a query string either, in a line that it cannot read", () => {
    const line = `[2026-09-21T10:00:00.000Z] "GET /pay?card=4111&pin=1#top HTTP/1.1" 200 - cut`;
    const { malformed } = readAs("envoy", `${line}\n`);
    expect(malformed.map(({ quote }) => quote)).toEqual([
      `[2026-09-21T10:00:00.000Z] "GET /pay?… HTTP/1.1" 200 - cut`,
    ]);
    const json = `{"path":"/a?token=secret","start_time":`;
    const broken = readAs("hubble", `${json}\n`).malformed.map(({ quote }) => quote);
    expect(broken.join()).toContain("/a?…");
    expect(broken.join()).not.toContain("secret");
  });

  it("says where no client or no server is told, and what is no line of it", () => {
    const of = (forwardedFor: string, upstream: string) =>
      `[2026-01-05T10:00:00.250Z] "GET / HTTP/1.1" 200 - 0 1 1 1 "${forwardedFor}" "-" "-" "a" "${upstream}"`;
    const wrapped = JSON.stringify({
      log: `ACCESS ${of("10.0.0.2", "10.0.0.1:80")}\n`,
      stream: "x",
    });
    const told = line("envoy", of("-", "10.0.0.1:80"), of("10.0.0.2", "-"), 'GET "/" 200', wrapped);
    expect(shown(told)).toEqual(["10.0.0.2:0 → 10.0.0.1 80/6 forwarded 1/1/0 0p 1b"]);
    expect(told.others).toEqual([
      "a request whose client is not told",
      "a request that went nowhere",
    ]);
    expect(told.malformed[0]?.problem).toBe("not Envoy's default format");
  });
});

describe("GCP", () => {
  it("names pods and VMs, and is sampled, summed, and guessed", () => {
    const told = sample("GCP, JSON Lines");
    expect(shown(told)).toEqual([
      "shop/web-1:40100 → shop/db-vm 5432/6 forwarded 1/0/0 4p 1200b",
      "10.4.0.5:40100 → 10.4.0.9 5432/6 forwarded 0/1/0 4p 1200b",
    ]);
    expect(told.flows[0]?.origin).toEqual({
      format: "gcp-vpc",
      sampling: 30,
      aggregation: 5000,
      direction: "guessed",
    });
    expect(sample("GCP, an array")).toEqual(told);
  });

  it("is not led astray by brackets and quotes in texts", () => {
    const [first] = GCP;
    const odd = { ...first, trace: 'a"}]{[\\', spanId: '{"' };
    expect(line("gcp-vpc", JSON.stringify([odd, odd])).flows).toHaveLength(2);
    expect(line("gcp-vpc", JSON.stringify({ ...odd }), JSON.stringify(odd)).malformed).toEqual([]);
  });

  it("reads on behind a record that is broken", () => {
    const good = JSON.stringify(GCP[0]);
    const told = line("gcp-vpc", '{"jsonPayload": {"connection": ', good, "nonsense", "{}");
    expect(told.flows).toHaveLength(1);
    expect(told.malformed.map(({ problem }) => problem)).toEqual(["broken off", "not JSON"]);
    expect(told.others).toEqual(["an entry of another log"]);
  });
});

describe("Azure", () => {
  it("tells beginnings, ends and denials, of groups in seconds and of networks in milliseconds", () => {
    expect(shown(sample("Azure, network security groups"))).toEqual([
      "10.0.0.4:44931 → 203.0.113.9 443/6 forwarded 1/0/0 0p 0b",
      "10.0.0.4:44931 → 203.0.113.9 443/6 forwarded 0/1/0 12p 5100b",
      "198.51.100.7:51000 → 10.0.0.4 22/6 dropped 1/0/1 0p 0b",
    ]);
    const told = sample("Azure, virtual networks");
    expect(shown(told)).toEqual([
      "10.0.0.6:23956 → 192.0.2.180 53/17 forwarded 1/0/0 0p 0b",
      "10.0.0.6:23956 → 192.0.2.180 53/17 forwarded 0/1/0 2p 210b",
      "198.51.100.7:40000 → 10.0.0.6 8080/6 dropped 1/0/1 0p 0b",
    ]);
    expect(told.flows[0]).toMatchObject({ start: 1_767_607_203_599, node: "000D3A000002" });
  });

  it("reads tuples of version 1, and tells which one is none", () => {
    const tuples = ["1767607200,10.0.0.4,10.0.0.5,44931,443,T,O,A", "1767607200,10.0.0.4", "x,y"];
    const [first] = AZURE_GROUP.records;
    const record = {
      ...first,
      properties: { Version: 1, flows: [{ rule: "r", flows: [{ mac: "m", flowTuples: tuples }] }] },
    };
    const told = line("azure-nsg", JSON.stringify({ records: [{ records: [record] }, {}] }));
    expect(shown(told)).toEqual(["10.0.0.4:44931 → 10.0.0.5 443/6 forwarded 1/0/0 0p 0b"]);
    expect(told.malformed.map(({ problem, quote }) => `${problem}: ${quote}`)).toEqual([
      "not a flow tuple: 1767607200,10.0.0.4",
      "not a flow tuple: x,y",
    ]);
    expect(told.others).toEqual(["a record of another log"]);
  });
});

describe("Calico", () => {
  it("has pods with their labels, counts what both ends tell once, and what is denied at each", () => {
    const told = sample("Calico");
    expect(shown(told)).toEqual(["shop/web-1:0 → shop/db 5432/6 forwarded 2/2/0 22p 1800b"]);
    expect(told.flows[0]?.destination.labels).toEqual({ app: "db" });
    expect(told.others).toEqual(["told at the other end, too"]);
    const denied = { action: "deny", num_flows: 4, packets_in: 0 };
    const more = line(
      "calico",
      JSON.stringify(calicoFlow(denied)),
      JSON.stringify(calicoFlow({ source_ip: null })),
      JSON.stringify(calicoFlow({ source_name: "a\u001b[2J" })),
      JSON.stringify(calicoFlow({ source_type: "net", source_ip: "203.0.113.7" })),
    );
    expect(shown(more)).toEqual([
      "shop/web-1:0 → shop/db 5432/6 dropped 4/0/4 12p 1800b",
      "203.0.113.7:0 → shop/db 5432/6 forwarded 2/2/0 22p 1800b",
    ]);
    expect(more.others).toEqual(["ends without addresses (aggregated)"]);
    expect(more.malformed.map(({ problem }) => problem)).toEqual(["no addresses or names"]);
  });
});

describe("conntrack", () => {
  it("tells who answered, whatever was addressed, and takes a listing to be of when it was written", () => {
    const told = sample("conntrack, a listing");
    expect(shown(told)).toEqual([
      "10.0.1.5:40112 → 10.0.2.6 8443/6 forwarded 1/1/0 18p 5200b",
      "10.0.1.5:50000 → 10.0.2.53 53/17 forwarded 1/0/1 0p 0b",
      "10.0.1.5:0 → 10.0.2.8 2048/1 forwarded 1/1/0 0p 0b",
    ]);
    expect(told.flows.map(({ start, translated }) => [start, translated])).toEqual([
      [AT, true],
      [AT, undefined],
      [AT, undefined],
    ]);
  });

  it("counts a connection once, whether its beginning was told or its end alone", () => {
    expect(shown(sample("conntrack, events with times"))).toEqual([
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 1/0/0 0p 0b",
      "10.0.1.5:40112 → 10.0.2.6 5432/6 forwarded 0/1/0 16p 3900b",
    ]);
    const end =
      "[DESTROY] udp      17 src=10.0.1.5 dst=10.0.2.53 sport=1 dport=53 [UNREPLIED] src=10.0.2.53 dst=10.0.1.5 sport=53 dport=1";
    expect(shown(line("conntrack", end))).toEqual([
      "10.0.1.5:1 → 10.0.2.53 53/17 forwarded 1/0/1 0p 0b",
    ]);
    const own = "conntrack v1.4.8 (conntrack-tools): 2 flow entries have been shown.";
    expect(line("conntrack", own).others).toEqual(["what conntrack says of itself"]);
    expect(readAs("conntrack", end).malformed[0]?.problem).toContain("no time");
    expect(line("conntrack", "tcp 6 src=x dst=y").malformed[0]?.problem).toBe("no addresses");
  });
});

describe("Our own flows", () => {
  it("of another machine's agent are not those of this one's", () => {
    const end = (address: string) => ({ address, name: address, labels: {} });
    const told = line(
      "bulkhead",
      JSON.stringify({
        start: AT,
        end: AT,
        source: end("10.0.0.1"),
        destination: end("10.0.0.2"),
        protocol: 6,
        port: 22,
        verdict: "dropped",
        origin: { format: "agent", sampling: 1, aggregation: 0, direction: "told" },
      }),
    );
    expect(told.flows.map(({ origin }) => origin?.format)).toEqual(["bulkhead"]);
  });
});
