/** How nft is told of control groups: in one transaction, however many come and go. */
import { expect, test } from "vitest";
import { DROP, policyOf, processOf, rowOf } from "../policies.ts";
import { host, onEveryDriverInProcessesLab } from "../processes-lab.ts";
import { nftables } from "./under-test.ts";

const BLIND = "mount -t tmpfs none /sys/fs/cgroup && exec nft list map inet bulkhead le_process2";

onEveryDriverInProcessesLab(
  () => {
    test("five hundred units, and one more: one transaction each", async () => {
      const names = Array.from({ length: 500 }, (_, index) => `unit-${index}.service`);
      const processes = names.map((name) => processOf(name, `${host.groups.root}/${name}`));
      const wanted = policyOf(host.lab, {
        processes,
        live: [
          {
            direction: "egress",
            subjects: [],
            processes: processes.map(({ workload }) => workload),
            defaultRow: rowOf(DROP),
          },
        ],
      });
      const { digest } = await host.driver.apply(wanted);
      const listed = (): number =>
        host.lab
          .run(host.lab.host, ["unshare", "--mount", "sh", "-c", BLIND])
          .split("\n")
          .filter((line) => /jump le1?_class/.test(line)).length;
      expect(listed()).toBe(0);
      const made = names.map((name) => host.groups.add(name));
      const transactions = async (work: () => unknown): Promise<number> => {
        await work();
        const before = Math.floor(host.driver.generation());
        await host.driver.bindProcesses();
        return host.driver.generation() - before;
      };
      expect(await transactions(() => undefined)).toBe(1);
      expect(listed()).toBe(500);
      expect(await transactions(() => host.groups.remove(made.pop() as string))).toBe(1);
      expect(listed()).toBe(499);
      expect(await transactions(() => host.groups.add("unit-499.service"))).toBe(1);
      expect(listed()).toBe(500);
      expect(await transactions(() => undefined)).toBe(0);
      const found = await host.driver.readBack();
      expect([found.digest, ...found.differences]).toEqual([digest]);
      for (const name of names) host.groups.remove(`${host.groups.root}/${name}`);
    });
  },
  { drivers: [nftables] },
);
