// Started by tests: runs the pinned program `argv[2]` `argv[3]` times, as fast as it goes, in another process than the reader's.
import { openPinnedProgram, testRunOf } from "../../src/bpf/index.ts";

const [, , path = "", times = "0"] = process.argv;
const program = openPinnedProgram(path);
if (program === null) throw new Error(`nothing is pinned at ${path}`);
const run = testRunOf(program);
const packet = Buffer.alloc(64);
const AT_ONCE = 1000;
for (let left = Number(times); left > 0; left -= AT_ONCE)
  run.run(packet, null, Math.min(left, AT_ONCE));
