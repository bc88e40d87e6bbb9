/**
 * Address translation hides nobody: a connection is judged by its true source and its true destination, and who is exempt
 * for being the machine, or oneself, is so by the profile alone.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { HostPolicy, Row } from "@bulkhead/model";
import {
  PORT,
  PROTOCOLS,
  allowPort,
  both,
  driver,
  lab,
  onEveryDriverInLawsLab,
  onlyFrom,
  pairs,
  workload,
} from "./laws-lab.ts";
import { openPair, patiently } from "./pair.ts";
import { PATIENT_MS, together } from "./pairs-together.ts";
import type { Opened } from "./pairs-together.ts";
import { ALLOW, DROP, policyOf, rowOf } from "./policies.ts";
import type { ClassText } from "./policies.ts";

const MACHINE = { 4: "10.86.0.1", 6: "fd86::1" } as const;

onEveryDriverInLawsLab(() => {
  describe("NAT", () => {
    beforeEach(() => {
      const rules = ([4, 6] as const).map((family) => {
        const word = family === 4 ? "ip" : "ip6";
        const { v4, v6 } = workload("far");
        const far = family === 4 ? `${v4}:${PORT}` : `[${v6}]:${PORT}`;
        return `table ${word} nat {
  chain pre { type nat hook prerouting priority dstnat; policy accept;
    ${word} daddr ${MACHINE[family]} tcp dport 80 dnat to ${far}
    ${word} daddr ${MACHINE[family]} udp dport 80 dnat to ${far}
  }
  chain post { type nat hook postrouting priority srcnat; policy accept;
    oifname "v-far" masquerade
  }
}`;
      });
      lab.run(lab.host, ["nft", "-f", "-"], rules.join("\n"));
    });

    /** `insist`: all are to come about. */
    const throughAll = async (insist: boolean): Promise<Opened> => {
      const { path, v4, v6 } = workload("far");
      const ways = PROTOCOLS.flatMap((protocol) =>
        ([4, 6] as const).map((family) => ({ protocol, family })),
      );
      return together(
        await Promise.all(
          ways.map(async ({ protocol, family }) => {
            const open = () =>
              openPair({
                protocol,
                client: workload("near").path,
                server: path,
                address: MACHINE[family],
                port: 80,
                at: { address: family === 4 ? v4 : v6, port: PORT },
              });
            const pair = insist ? await patiently(open) : await open();
            if (pair !== null) pairs.push(pair);
            return { name: `${protocol} over IPv${family}`, protocol, pair };
          }),
        ),
      );
    };

    test("true source and true destination are judged", async () => {
      await driver.apply(
        policyOf(lab, {
          live: [
            ...onlyFrom("far", "near", allowPort),
            {
              direction: "egress",
              subjects: both("near"),
              exact: both("far").map((address) => [address, allowPort] as const),
              defaultRow: rowOf(DROP),
            },
          ],
        }),
      );
      const opened = await throughAll(true);
      expect(await opened.toServer(PATIENT_MS)).toEqual(opened.all(true));
      expect(await opened.toClient(PATIENT_MS)).toEqual(opened.all(true));
      // Revocation reaches translated flows too.
      await driver.apply(policyOf(lab, { live: onlyFrom("far", "same", allowPort) }));
      expect(await opened.toServer()).toEqual(opened.all(false));
      expect(await opened.toClient()).toEqual(opened.all(false));
    });

    test("a stranger behind the host's address is not the host", async () => {
      const host = lab.hostAddresses;
      const judged = (strangers: Row): HostPolicy =>
        policyOf(lab, {
          nodeExempt: true,
          live: [
            {
              direction: "ingress",
              subjects: both("far"),
              exact: host.map((address) => [address, rowOf(ALLOW)] as const),
              defaultRow: strangers,
            },
          ],
        });
      await driver.apply(judged(rowOf(DROP)));
      const shut = await throughAll(false);
      expect(await shut.toServer(0)).toEqual(shut.all(false));
      await driver.apply(judged(rowOf(ALLOW)));
      const open = await throughAll(true);
      expect(await open.toServer(PATIENT_MS)).toEqual(open.all(true));
    });
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
