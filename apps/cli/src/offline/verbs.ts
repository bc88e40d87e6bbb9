/** The verbs that ask a folder of policy files questions: their arguments, options and examples. */
import { FORMATS, TEST_FORMATS } from "../context.ts";
import type { AddVerb } from "../program.ts";
import { withOfflineOptions } from "./options.ts";
import { withRequestOptions } from "./request-options.ts";

export function addQuestionVerbs(verb: AddVerb): void {
  withRequestOptions(
    withOfflineOptions(
      verb(
        "explain [dir] [from] [to:port] [port]",
        "allowed or not, by which rule, and what would allow it; here, or by files alone",
        "bulkhead explain web db:5432/tcp\nbulkhead explain policies/ shop/web shop/db:5432/tcp",
        async () => (await import("../verbs/explain.ts")).explain,
      )
        .option("--shadow", "as if audit and staged policies were enforced")
        .option("--change", "only the smallest change that allows it, as YAML"),
    ),
  );
  withRequestOptions(
    withOfflineOptions(
      verb(
        "decide <dir>",
        "allowed or not, by the files alone: one connection, or a file of them",
        "bulkhead decide policies/ --from shop/web --to shop/db --port 5432/tcp\nbulkhead decide policies/ --from web --to api --port http --http 'GET /orders'\nbulkhead decide policies/ --queries questions.jsonl > answers.jsonl",
        async () => (await import("../verbs/decide.ts")).decide,
      )
        .option("--from <end>", "NS/NAME of a pod or its controller, an address, host or world")
        .option("--to <end>", "the same")
        .option("--port <port>", "80/tcp, 53/udp, icmp/8/0, or a port's name at the destination")
        .option("--queries <file>", "questions as JSON Lines, - for standard input")
        .option("--shadow", "as if audit and staged policies were enforced"),
    ),
  );
  withOfflineOptions(
    verb(
      "test <dir>",
      "the PolicyTests of a folder: what each expects, and what the files say",
      "bulkhead test policies/\nbulkhead test policies/ -o junit > report.xml",
      async () => (await import("../verbs/test.ts")).test,
      [...FORMATS, ...TEST_FORMATS],
    ),
  );
}
