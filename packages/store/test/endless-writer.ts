/** Appends batches for ever and prints the number of each when it is acknowledged; a test kills it. */
import { openDuckDbFlowStore } from "../src/index.ts";
import { flow } from "./flow-store-conformance.ts";

const store = await openDuckDbFlowStore(process.argv[2] ?? "");
for (let sequence = 1; ; sequence += 1) {
  const flows = Array.from({ length: 50 }, (_, index) => flow({ start: sequence * 1000 + index }));
  await store.append([{ boot: "writer", sequence, flows }]);
  process.stdout.write(`${sequence}\n`);
}
