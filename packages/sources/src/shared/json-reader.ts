/** A reader of JSON objects, for formats in which an object is a record. */
import type { FlowOrigin } from "@bulkhead/model";
import type { FlowReader, FlowSink } from "../flow-format.ts";
import { createJsonRecords } from "./json-records.ts";
import { parseFields, quoteOf, type Fields } from "./values.ts";

export interface ObjectFormat {
  /** One object; it tells by `malformed` why it is none of the format. */
  object(fields: Fields, malformed: (problem: string, quote?: string) => void): void;
  end?(): void;
  readonly origin: FlowOrigin;
}

export function readJsonObjects(sink: FlowSink, format: ObjectFormat): FlowReader {
  const records = createJsonRecords({
    record(text) {
      const malformed = (problem: string, quote = text): void =>
        sink.malformed({ place: records.place, problem, quote: quoteOf(quote) });
      const fields = parseFields(text);
      if (typeof fields === "string") malformed(fields);
      else format.object(fields, malformed);
    },
    malformed: (problem, quote) => sink.malformed({ place: records.place, problem, quote }),
  });
  return {
    push: (bytes) => records.push(bytes),
    end() {
      records.end();
      format.end?.();
    },
    get origin() {
      return format.origin;
    },
  };
}

/** The first whole objects of a file's beginning. */
export function headObjects(head: Uint8Array, most = 5): readonly Fields[] {
  const found: Fields[] = [];
  const records = createJsonRecords({
    record(text) {
      const fields = found.length < most ? parseFields(text) : "";
      if (typeof fields !== "string") found.push(fields);
    },
    malformed: () => undefined,
  });
  records.push(head);
  return found;
}
