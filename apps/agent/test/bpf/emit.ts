// Started by tests: runs the pinned program `argv[2]` `argv[3]` times in another process than the reader's: `argv[4]` times a
// second, or as fast as it goes.
import { openPinnedProgram, testRunOf } from "../../src/bpf/index.ts";

const [, , path = "", times = "0", rate = "Infinity"] = process.argv;
const program = openPinnedProgram(path);
if (program === null) throw new Error(`nothing is pinned at ${path}`);
const run = testRunOf(program);
const packet = Buffer.alloc(64);
const AT_ONCE = 1000;
const started = performance.now();
for (let done = 0; done < Number(times); done += AT_ONCE) {
  const due = started + (done / Number(rate)) * 1000;
  while (performance.now() < due) continue;
  run.run(packet, null, Math.min(Number(times) - done, AT_ONCE));
}
