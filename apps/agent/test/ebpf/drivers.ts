/** eBPF drivers for tests, each set with a file system for pins of its own, and what is left of them in the kernel. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allLinks, openPinnedLink, unmountBpffs } from "../../src/bpf/index.ts";
import { createEbpfDriver } from "../../src/drivers/ebpf/ebpf-driver.ts";
import type { EbpfDriverDeps } from "../../src/drivers/ebpf/ebpf-driver.ts";
import type { Driver } from "../../src/drivers/index.ts";
import type { Lab } from "../drivers/lab.ts";

export interface EbpfDrivers {
  readonly pins: string;
  create(lab: Lab, more?: Partial<EbpfDriverDeps>): Driver;
  /** Folder in which everything of `test` is pinned; throws when there is not exactly one. */
  folder(): string;
  /** Numbers of its links. */
  links(): readonly number[];
  /** Nothing: no pin, no link of these numbers, no table. */
  left(lab: Lab, links: readonly number[]): readonly string[];
  close(): void;
}

export const createEbpfDrivers = (): EbpfDrivers => {
  const root = mkdtempSync(join(tmpdir(), "bulkhead-pins-"));
  const pins = join(root, "pins");
  const folders = (): string[] =>
    !existsSync(pins)
      ? []
      : readdirSync(pins)
          .filter((name) => name.startsWith("net-"))
          .flatMap((net) => readdirSync(join(pins, net)).map((owner) => join(pins, net, owner)));
  const folder = (): string => {
    const [one, ...more] = folders();
    if (one === undefined || more.length > 0) throw new Error(`folders: ${folders().join(" ")}`);
    return one;
  };
  return {
    pins,
    create: (lab, more = {}) =>
      createEbpfDriver({
        owner: "test",
        now: () => Date.now(),
        netns: lab.hostPath,
        pins,
        ...more,
      }),
    folder,
    links: () =>
      readdirSync(folder())
        .filter((name) => /-ipv[46]-/.test(name))
        .flatMap((name) => {
          const link = openPinnedLink(join(folder(), name));
          link?.close();
          return link === null ? [] : [link.id];
        }),
    left: (lab, links) => [
      ...folders(),
      ...allLinks().flatMap(({ id }) => (links.includes(id) ? [`link ${id}`] : [])),
      ...lab.run(lab.host, ["nft", "list", "tables"]).split("\n").filter(Boolean),
    ],
    close() {
      unmountBpffs(pins);
      rmSync(root, { recursive: true, force: true });
    },
  };
};
