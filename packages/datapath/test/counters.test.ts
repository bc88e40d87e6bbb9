/** Counters of ours among those of everybody. */
import { expect, it } from "vitest";
import { ownCounters, parseCounters } from "../src/index.ts";

const LISTING = `table ip others {
\tcounter dns_suppressed {
\t\tpackets 9 bytes 90
\t}
}
table inet bulkhead {
\tcounter li_drop_0badcafe {
\t\tpackets 5 bytes 300
\t}
\tcounter dns_suppressed {
\t\tpackets 2 bytes 20
\t}
}
table inet bulkhead_of_others {
\tcounter not_syn {
\t\tpackets 7 bytes 70
\t}
}
table netdev bulkhead {
\tcounter spoofed {
\t\tpackets 1 bytes 10
\t}
}
`;

it("are told from those of others by their table", () => {
  const names = parseCounters(ownCounters(LISTING)).map((one) =>
    one.kind === "leaf" ? [one.cookie, one.packets] : [one.name, one.packets],
  );
  expect(names).toEqual([
    ["0badcafe", 5],
    ["dns_suppressed", 2],
    ["spoofed", 1],
  ]);
});
