/**
 * Reads the packet log: batches of messages from the socket into the window's table, with every message counted under one name.
 */
import { createBatchReceiver } from "../kernel/batch-receiver.ts";
import type { FlowTable } from "./flow-table.ts";
import { emptyPrefixFields, FORWARDED, PROCESS_NOTE, VERDICTS } from "./log-prefix.ts";
import { decodeLogMessage, type LogMessage } from "./nflog.ts";
import { emptyPacketFields } from "./packet.ts";
import type { ProcessNotes } from "./process-notes.ts";
import type { SharedStats } from "./shared-stats.ts";

export interface LogIntake {
  /** Takes one batch; true when the socket may hold more. */
  read(now: number): boolean;
  /** Log messages in the window since the last call. */
  takeLogged(): number;
}

const AUDIT = VERDICTS.indexOf("audit");
const DATAGRAMS = 8;
/** The kernel's largest log datagram (`NFULNL_NLBUFSIZ_MAX`). */
const DATAGRAM_BYTES = 128 * 1024;

export function createLogIntake(
  fd: number,
  flows: FlowTable,
  notes: ProcessNotes,
  stats: SharedStats,
): LogIntake {
  const batch = createBatchReceiver(DATAGRAMS, DATAGRAM_BYTES);
  const view = new DataView(batch.data.buffer, batch.data.byteOffset, batch.data.byteLength);
  const log: LogMessage = {
    packet: emptyPacketFields(),
    prefix: emptyPrefixFields(),
    sequence: -1,
  };
  let logged = 0;

  /** False for what only tells of a connection that another message is the record of. */
  const isRecord = (): boolean => {
    const { packet, prefix } = log;
    if (prefix.verdict === PROCESS_NOTE) {
      notes.note(packet, prefix.direction, prefix.cookie);
      return false;
    }
    if (prefix.arrival) return !notes.takeTold(packet);
    if (prefix.verdict === AUDIT || prefix.verdict === FORWARDED) notes.markTold(packet);
    return true;
  };

  /** Adds the decoded message to the window. False when it has no room. */
  const record = (now: number): boolean => {
    const { packet, prefix } = log;
    const { verdict, direction, cookie, translated } = prefix;
    notes.find(packet);
    const { source, destination } = notes;
    flows.fillKey(packet, verdict, direction, cookie, translated, source, destination);
    const counts = flows.counts;
    counts.connections = 1;
    counts.established = counts.failed = 0;
    // Connections that come about have their bytes counted by connection tracking, first packet included.
    const counted = prefix.verdict === FORWARDED || prefix.verdict === AUDIT;
    counts.bytes = counted ? 0 : packet.bytes;
    counts.packets = counted ? 0 : 1;
    return flows.add(packet.sourcePort, now);
  };

  return {
    read(now) {
      const datagrams = batch.receive(fd);
      if (datagrams < 0) {
        stats.add("overruns", 1);
        return true;
      }
      if (datagrams === 0) return false;
      let [received, overflowed, malformed, foreign, lost] = [0, 0, 0, 0, 0];
      let next = stats.get("nextSequence");
      for (let slot = 0; slot < datagrams; slot++) {
        const length = batch.length(slot);
        // A datagram larger than asked for cannot come; if it ever did, its messages show as a gap in the numbers.
        if (length < 0) continue;
        let at = slot * batch.slotBytes;
        const end = at + length;
        while (at + 16 <= end) {
          const size = view.getUint32(at, true);
          if (size < 16 || at + size > end) break;
          const kind = decodeLogMessage(view, at, at + size, log);
          at += (size + 3) & ~3;
          if (kind === "none") continue;
          if (log.sequence >= 0) {
            if (next >= 0) lost += (log.sequence - next) >>> 0;
            next = (log.sequence + 1) >>> 0;
          }
          if (kind === "foreign") {
            foreign++;
            continue;
          }
          if (kind === "ours" && !isRecord()) continue;
          received++;
          if (kind === "malformed") malformed++;
          else if (record(now)) logged++;
          else overflowed++;
        }
      }
      stats.set("nextSequence", next);
      stats.add("lost", lost);
      stats.add("foreign", foreign);
      stats.add("malformed", malformed);
      stats.add("overflowed", overflowed);
      stats.add("received", received);
      if (received > 0) stats.set("lastEventAt", now);
      return true;
    },
    takeLogged() {
      const taken = logged;
      logged = 0;
      return taken;
    },
  };
}
