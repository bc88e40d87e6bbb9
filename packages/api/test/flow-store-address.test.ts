/** Where a ClickHouse is: read whole or refused, and never with a password in it. */
import { describe, expect, it } from "vitest";
import { readClickHouseAddress } from "../src/index.ts";

describe("an address of ClickHouse", () => {
  it("says where, which database and cluster, and for how long", () => {
    const text =
      "https://ch.example:8443/flows?cluster=fleet&flow-days=30&edge-days=400&timeout=5&ca=/etc/ca.pem";
    expect(readClickHouseAddress(text)).toEqual({
      address: {
        url: "https://ch.example:8443",
        database: "flows",
        cluster: "fleet",
        flowDays: 30,
        edgeDays: 400,
        requestTimeoutMs: 5000,
        ca: "/etc/ca.pem",
      },
    });
    for (const here of ["http://localhost:8123", "http://127.0.0.1:8123/", "http://[::1]:8123"])
      expect(readClickHouseAddress(here)).toEqual({ address: { url: new URL(here).origin } });
  });

  it.each([
    ["https://me:secret@ch.example/", "a user or a password"],
    ["https://me@ch.example/", "a user or a password"],
    ["http://ch.example:8123/", "without TLS"],
    ["http://localhost.example:8123/", "without TLS"],
    ["ftp://ch.example/", "is not how ClickHouse is asked"],
    ["ch.example", "is no URL"],
    ["https://ch.example/a-b", "no name of a database"],
    ["https://ch.example/a/b", "no name of a database"],
    ["https://ch.example/?cluster=a;b", "no name of a cluster"],
    ["https://ch.example/?flow-days=0", "no whole number above 0"],
    ["https://ch.example/?flowdays=3", "nothing that is known"],
    ["https://ch.example/?ca=ca.pem", "not the whole path"],
    ["https://ch.example/#x", "nothing that is known"],
  ])("is refused: %s", (text, why) => {
    const read = readClickHouseAddress(text);
    expect("error" in read ? read.error : "").toContain(why);
    expect(JSON.stringify(read)).not.toContain("secret");
  });
});
