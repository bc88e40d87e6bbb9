/** The nftables driver as the tests of the contract see it: its tables as nft lists them, and nft scripts that spoil them. */
import { createDriver } from "../../../src/drivers/index.ts";
import type { DriverUnderTest, Sabotage, SpoiledGroups } from "../drivers-under-test.ts";
import type { Lab } from "../lab.ts";
import { readLog } from "../log-reader.ts";

const load = (lab: Lab, script: string): void => {
  lab.run(lab.host, ["nft", "-f", "-"], script);
};

/** ROW: the first row that tells ports apart. */
const RULES: readonly (readonly [string, string, RegExp])[] = [
  ["rule added", "insert rule inet bulkhead forward accept", /rule added to chain forward: accept/],
  [
    "element removed",
    "delete element inet bulkhead li_exact4_c0000000 { 10.86.0.2 }",
    /element 10\.86\.0\.2 missing from map li_exact4_c0000000/,
  ],
  [
    "element changed",
    "delete element inet bulkhead li_ports_ROW { tcp . 5432 }\nadd element inet bulkhead li_ports_ROW { tcp . 5432 : goto li_drop_0d200000 }",
    /element 6 \. 5432 of map li_ports_\w+ says `goto li_drop_0d200000` instead of `goto li_allow_0a110000`/,
  ],
  [
    "element added",
    "add element inet bulkhead li_exact4_c0000000 { 10.86.0.99 : goto li_allow_0a110000 }",
    /element added to map li_exact4_c0000000: 10\.86\.0\.99/,
  ],
  [
    "chain flushed",
    "flush chain inet bulkhead li_class_c0000000",
    /chain li_class_c0000000 was emptied/,
  ],
  ["base chain flushed", "flush chain inet bulkhead input", /chain input was emptied/],
  [
    "policy changed",
    "chain inet bulkhead forward { policy drop; }",
    /chain forward is declared `.*policy drop;` instead of/,
  ],
  [
    "chain added",
    "add chain inet bulkhead evil { type filter hook forward priority -10; policy accept; }",
    /chain added: evil/,
  ],
  ["set added", "add set inet bulkhead extra { type ipv4_addr; }", /set added: extra/],
  [
    "table put to sleep",
    "add table inet bulkhead { flags dormant; }",
    /table inet bulkhead is dormant/,
  ],
  ["table deleted", "delete table inet bulkhead", /table inet bulkhead is missing/],
  ["guard deleted", "delete table netdev bulkhead", /table netdev bulkhead is missing/],
  ["port let in", 'add element bridge bulkhead ports { "br0" }', /element added to set ports: \d+/],
  [
    "port shut out",
    'delete element bridge bulkhead ports { "v-a" }',
    /element \d+ missing from set ports/,
  ],
  ["bridge guard deleted", "delete table bridge bulkhead", /table bridge bulkhead is missing/],
  ["bridge guard emptied", "flush chain bridge bulkhead forward", /chain forward was emptied/],
  ["guard emptied", "flush chain netdev bulkhead guard_v-a", /chain guard_v-a was emptied/],
];

/** JUDGED and STRANGER: paths of control groups. */
const PROCESSES: readonly (readonly [string, string, RegExp])[] = [
  [
    "map of processes flushed",
    "flush map inet bulkhead le_process2",
    /"\S*client\.service" missing from map le_process2/,
  ],
  [
    "process removed",
    "delete element inet bulkhead le_process2 { JUDGED }",
    /missing from map le_process2/,
  ],
  [
    "stranger made known",
    "add element inet bulkhead known2 { STRANGER }",
    /element added to set known2/,
  ],
  [
    "managed groups let go",
    "flush chain inet bulkhead managed_calling",
    /chain managed_calling was emptied/,
  ],
  ["records emptied", "flush set inet bulkhead processes", /missing from set processes/],
  [
    "rule removed",
    "flush chain inet bulkhead output\nadd rule inet bulkhead output oifname lo return",
    /rule missing from chain output/,
  ],
];

const spelled = (folder: string): string => `"${folder.slice("/sys/fs/cgroup/".length)}"`;

export const nftables: DriverUnderTest = {
  name: "nftables",
  create: (lab, more = {}) =>
    createDriver("nftables", {
      owner: "test",
      now: () => Date.now(),
      netns: lab.hostPath,
      ...more,
    }),
  holdings(lab) {
    const tables = lab.run(lab.host, ["nft", "list", "tables"]).trim().split("\n");
    return tables
      .filter((table) => table.endsWith(" bulkhead"))
      .map((table) => lab.run(lab.host, ["nft", "-a", "list", ...table.split(" ")]))
      .join("")
      .replaceAll(/packets \d+ bytes \d+/g, "");
  },
  settings: [
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.netfilter.nf_conntrack_acct",
  ],
  sabotage: RULES.map(([name, script, sentence]): DriverUnderTest["sabotage"][number] => ({
    name,
    sentence,
    spoil(lab, policy) {
      const row = policy.rows.find(({ protocols }) => protocols.length > 0)?.id ?? "";
      load(lab, script.replaceAll("ROW", row));
    },
  })),
  processSabotage: PROCESSES.map(([name, script, sentence]): Sabotage<SpoiledGroups> => ({
    name,
    sentence,
    spoil: (lab, { judged, stranger }) =>
      load(lab, script.replace("JUDGED", spelled(judged)).replace("STRANGER", spelled(stranger))),
  })),
  obstruct(lab) {
    // The kernel takes 1024 chains at one hook (nf_hook_entries_grow), and no more.
    const full = Array.from(
      { length: 1024 },
      (_, n) =>
        `add chain netdev full c${n} { type filter hook ingress device "v-far" priority ${n}; }`,
    );
    load(lab, ["add table netdev full", ...full].join("\n"));
    return () => {
      lab.run(lab.host, ["nft", "delete", "table", "netdev", "full"]);
    };
  },
  readLog,
};
