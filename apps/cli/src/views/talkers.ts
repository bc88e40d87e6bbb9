/** What `observe --top` prints: who talks most, and what share of the whole that is. */
import type { Rank, Talker, TalkersAnswer } from "@bulkhead/workbench/observe";
import { renderTable, type Column } from "../ui/table.ts";
import type { Ui } from "../ui/ui.ts";
import { ago, bytes, count, percent, thousands } from "../ui/words.ts";

const OF: Readonly<Record<Rank, string>> = {
  bytes: "bytes",
  connections: "connections",
  failed: "failed connections",
  denied: "denied connections",
};

export function talkersText({ by, talkers, total }: TalkersAnswer, ui: Ui): string {
  if (talkers.length === 0) return `No talker seen that fits has any ${OF[by]}.\n`;
  const number = (title: string, cell: (row: Talker) => string): Column<Talker> => ({
    title,
    cell,
    align: "right",
  });
  const orNone = (value: number): string => (value === 0 ? "-" : thousands(value));
  const columns: readonly Column<Talker>[] = [
    { title: "TALKER", cell: (row) => row.name, shrink: true },
    number("BYTES", (row) => bytes(row.bytes)),
    number("CONNS", (row) => thousands(row.connections)),
    number("BEGUN", (row) => orNone(row.begun)),
    number("RECEIVED", (row) => orNone(row.received)),
    number("FAILED", (row) => orNone(row.failed)),
    number("DENIED", (row) => orNone(row.denied)),
    number("PEERS", (row) => thousands(row.peers)),
    number("SHARE", (row) => percent(row[by] / total[by])),
    { title: "LAST SEEN", cell: (row) => ago(row.lastSeen, ui.now) },
    { title: "PACKETS", cell: (row) => thousands(row.packets), align: "right", wide: true },
  ];
  const shown = talkers.length < total.talkers ? `${talkers.length} of ` : "";
  const sum = by === "bytes" ? bytes(total.bytes) : `${thousands(total[by])} ${OF[by]}`;
  return `${renderTable(talkers, columns, ui)}\n${shown}${count(total.talkers, "talker")} by ${OF[by]}; ${sum} in all, and every flow has two ends\n`;
}
