/**
 * Writes an AWS flow log of any length to standard output, as fast as somebody reads: no file of it need lie anywhere. A row is about
 * 110 bytes; a thousand clients in forty networks call eight hundred servers, both ways are told, and no row comes twice.
 *
 *   node bench/long-log.ts 10737418240 | sudo bulkhead flows import aws-vpc -
 *
 * A second number leaves out so many rows of the beginning: a file that overlaps with all of the first.
 */
import { once } from "node:events";

const ROW_BYTES = 110;
/** Rows of one piece: some 240 KiB. */
const ROWS = 2048;
/** Rows of one second of the log. */
const A_SECOND = 500;
const PORTS = [443, 5432, 8080, 6379] as const;
/** The same all day long. */
const NEWEST = Math.floor(Date.now() / 86_400_000) * 86_400 - 3600;

/** `from`: when the log begins, in seconds. */
function row(n: number, from: number): string {
  // Two rows are one connection's: there and back.
  const call = n >> 1;
  const client = `10.1.${call % 40}.${(call * 13) % 250}`;
  const server = `10.2.${call % 4}.${(call * 3) % 200}`;
  const clientPort = 32_768 + ((call * 17) % 28_000);
  const port = PORTS[call % PORTS.length] ?? 443;
  const at = from + Math.floor(n / A_SECOND);
  const ends =
    n % 2 === 0
      ? `${client} ${server} ${clientPort} ${port}`
      : `${server} ${client} ${port} ${clientPort}`;
  return `2 210987654321 eni-0a1b2c3d4e5f60718 ${ends} 6 ${12 + (n % 2)} ${3400 + (call % 977)} ${at} ${at + 58} ACCEPT OK\n`;
}

const [wanted, first] = [Number(process.argv[2]), Number(process.argv[3] ?? 0)];
if (!Number.isSafeInteger(wanted) || wanted <= 0 || !Number.isSafeInteger(first) || first < 0) {
  process.stderr.write("usage: long-log.ts BYTES [ROWS-LEFT-OUT]\n");
  process.exit(2);
}
process.stdout.on("error", () => process.exit(1));
const from = NEWEST - Math.ceil(wanted / ROW_BYTES / A_SECOND);
for (let written = 0, n = 0; written < wanted; n += ROWS) {
  let piece = "";
  for (let at = n; at < n + ROWS; at += 1) {
    const text = row(at, from);
    written += text.length;
    if (at >= first) piece += text;
  }
  if (!process.stdout.write(piece)) await once(process.stdout, "drain");
}
