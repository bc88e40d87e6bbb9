/** A file of recorded flows, or standard input: unpacked, its format known by name or by its beginning, and read. */
import { stat } from "node:fs/promises";
import {
  FORMAT_READERS,
  HEAD_BYTES,
  otherKind,
  recogniseFormat,
  type FlowFormatReader,
  type FlowSink,
} from "@bulkhead/sources";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { readable } from "../lines.ts";
import { nearest } from "../ui/spell.ts";
import { unpack } from "./unpack.ts";

export interface FlowFile {
  readonly file: string;
  /** Undefined: none that is known. */
  readonly format: FlowFormatReader | undefined;
  /** Its beginning, unpacked; `bytes` begins with it. */
  readonly head: Uint8Array;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Bytes as they lie on disk; undefined where it is no file. */
  readonly size: number | undefined;
  /** Of these, read until now. */
  readonly taken: () => number;
  readonly broken: () => string | undefined;
  /** When it was last written: for formats that tell no time. */
  readonly writtenAt: number | undefined;
}

export function formatNamed(name: string): FlowFormatReader {
  const known = FORMAT_READERS.find((reader) => reader.name === name);
  if (known !== undefined) return known;
  const names = FORMAT_READERS.map((reader) => reader.name);
  const near = nearest(name, names);
  throw badInput(
    `\`${name}\` is not a format of flows`,
    near === undefined ? `one of ${names.join(", ")}` : `did you mean \`${near}\`?`,
  );
}

/** `typed`: a format's name. A file that looks like another is refused, with both names. */
export async function openFlowFile(
  context: Pick<Context, "stdin">,
  file: string,
  typed?: string,
): Promise<FlowFile> {
  const asked = typed === undefined ? undefined : formatNamed(typed);
  const known = file === "-" ? undefined : await stat(file).catch(() => undefined);
  if (known?.isDirectory() === true) {
    throw badInput(`\`${file}\` is a folder`, "name the files in it");
  }
  let taken = 0;
  const source = (async function* () {
    for await (const chunk of file === "-" ? context.stdin : readable(file)) {
      const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
      taken += bytes.length;
      yield bytes;
    }
  })();
  const packed = await takeHead(source, 64);
  const unpacked = unpack(packed.head, packed.rest, file);
  const { head, rest } = await takeHead(unpacked.bytes, HEAD_BYTES);
  const other = otherKind(head);
  if (other !== undefined) {
    throw badInput(
      `\`${file}\` is ${other}, which is not read`,
      "export text or JSON instead: AWS delivers flow logs as plain text when asked to",
    );
  }
  const looks = recogniseFormat(head);
  if (asked !== undefined && looks !== undefined && looks !== asked && !asked.recognises(head)) {
    throw badInput(
      `\`${file}\` is no ${asked.name}: this looks like ${looks.name} (${looks.title})`,
      `name that format, or none: the file's beginning tells`,
    );
  }
  return {
    file,
    format: asked ?? looks,
    head,
    bytes: (async function* () {
      if (head.length > 0) yield head;
      yield* rest;
    })(),
    size: known?.isFile() === true ? known.size : undefined,
    taken: () => taken,
    broken: unpacked.broken,
    writtenAt: known?.mtimeMs,
  };
}

/** All of it into `sink`; `between` is waited for after each piece, and what `store` exported is no news. */
export async function readFlows(
  opened: FlowFile,
  format: FlowFormatReader,
  sink: FlowSink,
  more: { readonly between?: () => Promise<void>; readonly store?: string } = {},
): Promise<void> {
  const { writtenAt } = opened;
  const { between, store } = more;
  const reader = format.open(sink, {
    ...(writtenAt === undefined ? {} : { at: writtenAt }),
    ...(store === undefined ? {} : { store }),
  });
  for await (const bytes of opened.bytes) {
    reader.push(bytes);
    if (between !== undefined) await between();
  }
  reader.end();
  const problem = opened.broken();
  if (problem !== undefined) sink.malformed({ place: 0, problem, quote: opened.file });
}

export async function wholeText({ bytes }: Pick<FlowFile, "bytes">): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** At least so many bytes of the beginning, if there are so many, and what follows. */
async function takeHead(
  source: AsyncIterable<Uint8Array>,
  most: number,
): Promise<{ readonly head: Uint8Array; readonly rest: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < most) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    chunks.push(value as Uint8Array);
    length += (value as Uint8Array).length;
  }
  return {
    head: Buffer.concat(chunks),
    rest: { [Symbol.asyncIterator]: () => iterator },
  };
}
