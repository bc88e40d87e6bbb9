/** An agent to be killed: applies the policy on its standard input by the eBPF driver, says so, and does nothing more. */
import { text } from "node:stream/consumers";
import { createEbpfDriver } from "../../src/drivers/ebpf/ebpf-driver.ts";

const [netns = "", pins = ""] = process.argv.slice(2);
const driver = createEbpfDriver({ owner: "test", now: () => Date.now(), netns, pins });
const { digest } = await driver.apply(JSON.parse(await text(process.stdin)));
process.stdout.write(`${digest}\n`);
setInterval(() => undefined, 1000);
