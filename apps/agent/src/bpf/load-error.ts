/**
 * Why an object or program could not be loaded, as a person can read it: the verifier's complaint with the source line it is
 * about, out of a log of many thousand lines that is kept whole beside it.
 */
import { errnoName } from "../kernel/index.ts";

export class BpfLoadError extends Error {
  override readonly name = "BpfLoadError";
  /** The object file or program. */
  readonly what: string;
  /** The errno's name: EACCES and EINVAL from the verifier, EPERM without the capabilities. */
  readonly code: string;
  /** Everything that the verifier and libbpf said. */
  readonly log: string;

  constructor(what: string, errno: number, log: string) {
    const code = errnoName(errno);
    const essence = essenceOf(log);
    super(`cannot load ${what}: ${code}${essence.length === 0 ? "" : `\n${essence.join("\n")}`}`);
    this.what = what;
    this.code = code;
    this.log = log;
  }
}

const STATISTICS =
  /^(processed \d+ insns|verification time|stack depth|-- (BEGIN|END) PROG LOAD LOG|libbpf: failed to load object)/;
const MAX_LINES = 8;

/** The last source line (`; x = y;` in the log) and what follows it, without figures about the verifier's own work. */
function essenceOf(log: string): readonly string[] {
  const lines = log.split("\n").filter((line) => line.trim() !== "" && !STATISTICS.test(line));
  const source = lines.findLastIndex((line) => line.startsWith("; "));
  return lines.slice(Math.max(source, lines.length - MAX_LINES, 0));
}
