/**
 * Address translation hides nobody: a connection is judged by its true source and its true destination, and who is exempt
 * for being the machine, or oneself, is so by the profile alone.
 */
import { describe, expect, test } from "vitest";
import {
  NUMBER,
  PORT,
  allowPort,
  both,
  driver,
  lab,
  onEveryDriverInLawsLab,
  onlyFrom,
  pairs,
  workload,
} from "./laws-lab.ts";
import { openPair } from "./pair.ts";
import type { Pair } from "./pair.ts";
import { ALLOW, DROP, policyOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";

onEveryDriverInLawsLab(() => {
  describe("NAT", () => {
    const translate = (family: 4 | 6): void => {
      const word = family === 4 ? "ip" : "ip6";
      const far =
        family === 4 ? `${workload("far").v4}:${PORT}` : `[${workload("far").v6}]:${PORT}`;
      const host = family === 4 ? "10.86.0.1" : "fd86::1";
      lab.run(
        lab.host,
        ["nft", "-f", "-"],
        `table ${word} nat {
  chain pre { type nat hook prerouting priority dstnat; policy accept;
    ${word} daddr ${host} tcp dport 80 dnat to ${far}
    ${word} daddr ${host} udp dport 80 dnat to ${far}
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    oifname "v-far" masquerade
  }
}`,
      );
    };
    const through = async (protocol: "tcp" | "udp", family: 4 | 6): Promise<Pair | null> => {
      const far = workload("far");
      const pair = await openPair({
        protocol,
        client: workload("near").path,
        server: far.path,
        address: family === 4 ? "10.86.0.1" : "fd86::1",
        port: 80,
        at: { address: family === 4 ? far.v4 : far.v6, port: PORT },
      });
      if (pair !== null) pairs.push(pair);
      return pair;
    };
    const combinations = (["tcp", "udp"] as const).flatMap((protocol) =>
      ([4, 6] as const).map((family) => [protocol, family] as const),
    );

    test.each(combinations)(
      "%s over IPv%i: judged by true source and true destination",
      async (protocol, family) => {
        translate(family);
        const row = allowPort(NUMBER[protocol]);
        await driver.apply(
          policyOf(lab, {
            live: [
              ...onlyFrom("far", "near", row),
              {
                direction: "egress",
                subjects: both("near"),
                exact: both("far").map((address) => [address, row] as const),
                defaultRow: rowOf(DROP),
              },
            ],
          }),
        );
        const pair = await through(protocol, family);
        expect([await pair?.toServer(), await pair?.toClient()]).toEqual([true, true]);
        // Revocation reaches translated flows too.
        await driver.apply(policyOf(lab, { live: onlyFrom("far", "same", row) }));
        expect([await pair?.toServer(), await pair?.toClient()]).toEqual([false, false]);
      },
    );

    test.each(combinations)(
      "%s over IPv%i: a stranger behind the host's address is not the host",
      async (protocol, family) => {
        translate(family);
        const host = lab.hostAddresses;
        await driver.apply(
          policyOf(lab, {
            nodeExempt: true,
            live: [
              {
                direction: "ingress",
                subjects: both("far"),
                exact: host.map((address) => [address, rowOf(ALLOW)] as const),
                defaultRow: rowOf(DROP),
              },
            ],
          }),
        );
        expect(await through(protocol, family)).toBeNull();
      },
    );
  });

  describe("exemptions", () => {
    test("the machine itself reaches its workloads iff the profile says so", async () => {
      const closed: ClassText[] = [
        { direction: "ingress", subjects: both("same"), defaultRow: rowOf(DROP) },
      ];
      for (const nodeExempt of [true, false]) {
        await driver.apply(policyOf(lab, { live: closed, nodeExempt }));
        for (const address of both("same")) {
          const pair = await openPair({
            protocol: "tcp",
            client: lab.hostPath,
            server: workload("same").path,
            address,
            port: PORT,
          });
          if (pair !== null) pairs.push(pair);
          expect(pair !== null, `${address} exempt ${nodeExempt}`).toBe(nodeExempt);
          pair?.close();
        }
      }
    });

    test("a workload reaches itself through the machine iff the profile says so", async () => {
      const near = workload("near");
      lab.run(
        lab.host,
        ["nft", "-f", "-"],
        `table ip nat {
  chain pre { type nat hook prerouting priority dstnat; policy accept;
    ip daddr 10.86.0.1 udp dport 80 dnat to ${near.v4}:${PORT}
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    ip daddr ${near.v4} udp dport ${PORT} masquerade
  }
}`,
      );
      lab.run(lab.host, ["bridge", "link", "set", "dev", near.interface, "hairpin", "on"]);
      // An address that somebody else claims as well is exempt for nobody.
      for (const [hairpinExempt, contested] of [
        [true, []],
        [true, [near.v4]],
        [false, []],
      ] as const) {
        await driver.apply({
          ...policyOf(lab, {
            hairpinExempt,
            live: [
              { direction: "ingress", subjects: [near.v4], defaultRow: rowOf(DROP) },
              { direction: "egress", subjects: [near.v4], defaultRow: rowOf(DROP) },
            ],
          }),
          contested,
        });
        const pair = await openPair({
          protocol: "udp",
          client: near.path,
          server: near.path,
          address: "10.86.0.1",
          port: 80,
          at: { address: near.v4, port: PORT },
        });
        expect(pair !== null).toBe(hairpinExempt && contested.length === 0);
        pair?.close();
      }
      lab.run(lab.host, ["bridge", "link", "set", "dev", near.interface, "hairpin", "off"]);
    });
  });
});
