/** The verbs that ask a folder of policy files questions: their arguments, options and examples. */
import { gather } from "../arguments.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";

export function addQuestionVerbs(verb: AddVerb): void {
  withOfflineOptions(
    verb(
      "decide <dir>",
      "allowed or not, by the files alone: one connection, or a file of them",
      "bulkhead decide policies/ --from shop/web --to shop/db --port 5432/tcp\nbulkhead decide policies/ --from web --to api --port http --http 'GET /orders'\nbulkhead decide policies/ --queries questions.jsonl > answers.jsonl",
      async () => (await import("../verbs/decide.ts")).decide,
    ),
  )
    .option("--from <end>", "NS/NAME of a pod or its controller, an address, host or world")
    .option("--to <end>", "the same")
    .option("--port <port>", "80/tcp, 53/udp, icmp/8/0, or a port's name at the destination")
    .option("--http <request>", "with this request: 'GET /x', 'POST https://host/x'")
    .option("--header <header>", "of that request, as 'Name: value'", gather)
    .option("--sni <name>", "with TLS under this name")
    .option("--dns <name>", "with a DNS question for this name")
    .option("--to-fqdn <names>", "names that stand for the destination's address", gather)
    .option("--queries <file>", "questions as JSON Lines, - for standard input; answers likewise")
    .option("--shadow", "as if audit and staged policies were enforced");
}
