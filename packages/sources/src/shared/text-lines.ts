/** A reader of lines as texts, for formats in which a line is a record. */
import type { FlowOrigin } from "@bulkhead/model";
import type { FlowReader, FlowSink } from "../flow-format.ts";
import { createLines } from "./lines.ts";
import { quoteOf } from "./values.ts";

export interface LineFormat {
  /** One record; false where it is none of the format: it tells why by `malformed`. */
  line(text: string, malformed: (problem: string) => void): void;
  end?(): void;
  readonly origin: FlowOrigin;
}

export function readTextLines(sink: FlowSink, format: LineFormat): FlowReader {
  const decoder = new TextDecoder();
  const lines = createLines({
    line(bytes, from, to) {
      const text = decoder.decode(bytes.subarray(from, to)).trim();
      if (text === "") return;
      format.line(text, (problem) => {
        sink.malformed({ place: lines.place, problem, quote: quoteOf(text) });
      });
    },
    tooLong: (beginning) => tooLong(sink, lines.place, beginning),
  });
  return {
    push: (bytes) => lines.push(bytes),
    end() {
      lines.end();
      format.end?.();
    },
    get origin() {
      return format.origin;
    },
  };
}

export function tooLong(sink: FlowSink, place: number, beginning: Uint8Array): void {
  const quote = quoteOf(new TextDecoder().decode(beginning));
  sink.malformed({ place, problem: "longer than any record (1 MiB)", quote });
}

/** The first lines of a file, for telling what it is: the last one, which may be cut, is left out where there are others. */
export function headLines(head: Uint8Array, most = 20): readonly string[] {
  const lines = new TextDecoder().decode(head).split(/\r?\n/);
  const whole = lines.length > 1 ? lines.slice(0, -1) : lines;
  return whole.filter((line) => line.trim() !== "").slice(0, most);
}
